import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'aegir/chai'

const DOC = readFileSync('docs/architecture.md', 'utf8')
const MAX_LINES = 300

function sources (): string[] {
  return execFileSync('git', ['ls-files', 'src/*.ts', 'packages/*/src/*.ts'], { encoding: 'utf8' })
    .split('\n')
    .filter(file => file !== '' && !file.includes('/pb/'))
}

describe('docs/architecture.md', () => {
  it('names every source file', () => {
    const missing = sources().filter(
      file => !DOC.includes(`\`${file.split('/').at(-1)}\``) && !DOC.includes(`/${file.split('/').at(-1)}\``)
    )

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

  it('has no circle of imports, but those of an index.ts with its own room', () => {
    const files = sources()
    const imports = new Map(
      files.map(file => [file, importsOf(file).filter(other => files.includes(other) && !other.endsWith('index.ts'))])
    )

    // what imports nothing that is left cannot be in a circle
    while (true) {
      const free = [...imports.keys()].filter(file => imports.get(file)?.every(other => !imports.has(other)) === true)

      if (free.length === 0) {
        break
      }

      free.forEach(file => { imports.delete(file) })
    }

    expect([...imports.keys()]).to.deep.equal([])
  })

  it('has layers: no room imports from one above', () => {
    const wrong = sources().flatMap(file => importsOf(file)
      .filter(other => (layerOf(other) ?? 0) > (layerOf(file) ?? Infinity))
      .map(other => `${file} imports ${other}`))

    expect(wrong).to.deep.equal([])
  })
})

/**
 * From the lowest to the highest. The files of src/ itself are in no room: they use all
 * rooms, and their types may be used by all.
 */
const LAYERS = [
  ['address', 'net', 'runtime', 'metrics'],
  ['stun'],
  ['mapping', 'server'],
  ['connection', 'dial', 'listen', 'punch', 'websockets'],
  ['dcutr']
]

function layerOf (file: string): number | undefined {
  const [, room] = /^src\/(\w+)\//.exec(file) ?? []
  const layer = LAYERS.findIndex(rooms => rooms.includes(room))

  return layer === -1 ? undefined : layer
}

function importsOf (file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/ from '(\.[^']+)'/g)].map(([, target]) =>
    path.posix.join(path.posix.dirname(file), target)
  )
}
