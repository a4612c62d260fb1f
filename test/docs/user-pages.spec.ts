import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'aegir/chai'
import { DEFAULT_STUN_SERVERS } from '../../src/index.ts'

const SOURCE = execFileSync('git', ['ls-files', 'src/*.ts'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => file !== '')
  .map(file => readFileSync(file, 'utf8'))
  .join('\n')

/**
 * The first code span of each row of the tables in a section
 */
function rows (page: string, section: string): string[] {
  const text = readFileSync(page, 'utf8').split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? ''

  return [...text.matchAll(/^\| `([^|]+?)` \|/gm)].map(([, code]) => code)
}

describe('the pages for users', () => {
  it('name the options that there are, and all of them', () => {
    const page = readFileSync('docs/configuration.md', 'utf8')
    const options = ['src/options.ts', 'src/mapping/options.ts'].flatMap(file => {
      const declared = readFileSync(file, 'utf8').split(/RULES: Rules<\w+> = {/)[1].split('\n}')[0]

      return [...declared.matchAll(/^ {2}(\w+): /gm)].map(([, name]) => name)
    })

    expect(options).to.include('stunServers')
    expect(options.filter(name => !new RegExp(`\`${name}\\b`).test(page))).to.deep.equal([])
    // the values of an option are rows too, and begin with a quote
    const named = rows('docs/configuration.md', 'The public address').map(row => row.split(/\W/)[0]).filter(Boolean)
    expect(named).to.include('stunServers')
    expect(named.filter(name => !options.includes(name))).to.deep.equal([])
  })

  it('quote log lines and errors as the code has them', () => {
    const quoted = [
      ...rows('docs/troubleshooting.md', 'By log line'),
      ...rows('docs/troubleshooting.md', 'A connection that stays relayed')
    ]
    const parts = quoted.flatMap(line => line.split(/\.\.\.|\/ip4\S+/))
      .map(part => part.trim())
      .filter(part => part !== '')
    // of libp2p
    const foreign = ['protocol selection failed']

    expect(quoted).to.have.length.greaterThan(8)
    expect(parts.filter(part => !foreign.includes(part) && !SOURCE.includes(part))).to.deep.equal([])
  })

  it('name the options of a public mapping, and all of them', () => {
    const interfaces = ['MappingOptions', 'PublicMappingInit']
    const source = readFileSync('src/mapping/options.ts', 'utf8')
    const options = interfaces.flatMap(name => {
      const body = source.split(`export interface ${name} `)[1].split('\n}')[0]

      return [...body.matchAll(/^ {2}(\w+)\??[:(]/gm)].map(([, option]) => option)
    })
    // for tests
    const internal = ['clock', 'dns', 'network', 'random']
    const section = readFileSync('docs/public-mapping.md', 'utf8').split('\n## Options\n')[1].split('\n## ')[0]
    const named = [...section.matchAll(/^\| (`.*?) \|/gm)]
      .flatMap(([, cell]) => [...cell.matchAll(/`(\w+)/g)])
      .map(([, option]) => option)

    expect(named).to.have.members(options.filter(option => !internal.includes(option)))
  })

  it('name the metrics that there are, and all of them', () => {
    const page = readFileSync('docs/metrics.md', 'utf8')
    const [named, registered] = [page, SOURCE].map(text => new Set(text.match(/libp2p_tcp_stun_\w+/g)))

    expect(registered.size).to.be.greaterThan(10)
    expect([...registered].filter(name => !named.has(name))).to.deep.equal([])
    expect([...named].filter(name => !registered.has(name))).to.deep.equal([])
  })

  it('name the components that log, and all of them', () => {
    const named = rows('docs/metrics.md', 'Logs').sort()
    const logging = [...SOURCE.matchAll(/forComponent\('(libp2p:tcp-stun[\w:-]*)'/g)].map(([, name]) => name)
    // a logger below one of the table tells of the same
    const missing = logging.filter(name => !named.some(other => name === other || name.startsWith(`${other}:`)))

    expect(missing).to.deep.equal([])
    expect(named.filter(name => !logging.includes(name))).to.deep.equal([])
  })

  it('name the default STUN servers, and no other', () => {
    const [, list] = /two of these are used[^:]*: ([^]*?)\. They belong/.exec(readFileSync('README.md', 'utf8')) ?? []
    const named = [...list.matchAll(/`([^`]+)`/g)].map(([, host]) => `stun:${host}`)

    expect(named).to.deep.equal(DEFAULT_STUN_SERVERS)
  })
})
