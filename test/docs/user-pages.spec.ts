import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'aegir/chai'

const SOURCE = execFileSync('git', ['ls-files', 'src/*.ts'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => file !== '')
  .map(file => readFileSync(file, 'utf8'))
  .join('\n')

const PAGES = execFileSync('git', ['ls-files', '*.md'], { encoding: 'utf8' }).split('\n').filter(file => file !== '')

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
    const declared = readFileSync('src/options.ts', 'utf8').split('OPTIONS:')[1].split('\n}')[0]
    const options = [...declared.matchAll(/^ {2}(\w+): true/gm)].map(([, name]) => name)

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

  it('link to files and headings that are there', () => {
    const broken = PAGES.flatMap(page => [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)\s]*)\)/g)]
      .map(([, link]) => link)
      .filter(link => !exists(page, link))
      .map(link => `${page}: ${link}`))

    expect(broken).to.deep.equal([])
  })
})

function exists (page: string, link: string): boolean {
  const [file, heading] = link.split('#')
  const target = file === '' ? page : path.join(path.dirname(page), file)

  if (!existsSync(target)) {
    return false
  }

  return heading == null || headings(target).includes(heading)
}

/**
 * As GitHub makes anchors of them
 */
function headings (page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)]
    .map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'))
}
