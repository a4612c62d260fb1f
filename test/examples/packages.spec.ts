import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { expect } from 'aegir/chai'

const OURS = ['libp2p-tcp-stun', 'tcp-stun']
const ROOT = manifest('package.json')
const TOOL = manifest('packages/tcp-stun/package.json')
const VERSIONS = { ...TOOL.dependencies, ...ROOT.dependencies, ...ROOT.devDependencies }

/**
 * A README alone has no package of its own
 */
const examples = readdirSync('examples').filter(name => existsSync(`examples/${name}/package.json`))

describe('the packages of the examples', () => {
  it('are found', () => {
    expect(examples).to.include.members(['chat', 'helia', 'home-node', 'private-network'])
  })

  for (const name of examples) {
    it(`${name} depends on what it imports, in the versions that are tested`, () => {
      const { dependencies: runtime, devDependencies } = manifest(`examples/${name}/package.json`)
      const dependencies = { ...runtime, ...devDependencies }
      const imported = readdirSync(`examples/${name}`)
        .filter(file => /\.m?js$/.test(file))
        .flatMap(file => packagesOf(readFileSync(`examples/${name}/${file}`, 'utf8')))

      expect(imported).to.not.be.empty()
      expect(imported.filter(dependency => dependencies[dependency] == null)).to.deep.equal([])

      for (const [dependency, version] of Object.entries<string>(dependencies)) {
        expect(version, dependency).to.equal(OURS.includes(dependency) ? 'latest' : VERSIONS[dependency])
      }
    })
  }
})

describe('the READMEs of the examples', () => {
  for (const name of readdirSync('examples')) {
    it(`${name} has one, which names the test that runs it`, () => {
      const [, spec] = /`(test\/[\w/.-]+\.spec\.ts)`/.exec(readFileSync(`examples/${name}/README.md`, 'utf8')) ?? []

      expect(spec).to.satisfy(existsSync)
    })
  }
})

function manifest (file: string): any {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function packagesOf (source: string): string[] {
  return [...source.matchAll(/ from '([^.'][^']*)'/g)]
    .map(([, name]) => name)
    .filter(name => !isBuiltin(name))
    .map(name => name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'))
}
