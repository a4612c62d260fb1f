import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'aegir/chai'

const DOC = readFileSync('docs/architecture.md', 'utf8')
const MAX_LINES = 300

function sources (): string[] {
  return execFileSync('git', ['ls-files', 'src/*.ts', 'packages/*/src/*.ts'], { encoding: 'utf8' })
    .split('\n')
    .filter(file => file !== '' && !file.endsWith('/pb/autonat-v2.ts'))
}

describe('docs/architecture.md', () => {
  it('names every source file', () => {
    const missing = sources().filter(file => !DOC.includes(`\`${file.split('/').at(-1)}\``) && !DOC.includes(`/${file.split('/').at(-1)}\``))

    expect(missing).to.deep.equal([])
  })

  it('names no file that is not there', () => {
    const files = sources()
    const named = [...DOC.matchAll(/`([a-z/.-]+\.ts)`/g)].map(([, name]) => name).filter(name => !name.includes('pb/'))

    expect(named.filter(name => !files.some(file => file.endsWith(`/${name}`)))).to.deep.equal([])
  })

  it('leads to files that fit on a few screens', () => {
    expect(sources().filter(file => readFileSync(file, 'utf8').split('\n').length > MAX_LINES + 1)).to.deep.equal([])
  })
})
