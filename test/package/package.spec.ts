import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import { build } from 'esbuild'

const HELPER = '/dns4/helper.example.org/tcp/443/tls/ws/p2p/12D3KooWNvSZnPi3RrhrTwEY4LuuBeB6K6facKUCJcyWG1aoDd2p'
/**
 * These take longer to load than all of ours: 60 ms for multiaddrs, 50 for HTTP
 */
const SLOW = /^@multiformats\/|^libp2p$|^@libp2p\/utils$|^node:https?$/
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * The files that `npm publish` would upload
 */
async function packedFiles (folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: folder
  })
  const [{ files }] = Object.values<{ files: Array<{ path: string }> }>(JSON.parse(stdout))

  return files.map(({ path }) => path)
}

/**
 * The names of all TypeScript files of a package, without their extension
 */
async function sourcesOf (folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('git', ['ls-files', 'src/*.ts'], { cwd: folder })

  return stdout.split('\n').flatMap(file => /^src\/(.*)\.ts$/.exec(file)?.[1] ?? []).sort()
}

/**
 * The names of those files that match, up to the first group of the pattern
 */
function namesIn (files: string[], pattern: RegExp): string[] {
  return files.flatMap(file => pattern.exec(file)?.[1] ?? []).sort()
}

/**
 * What is loaded with a file, from its own package or `libp2p-tcp-stun`, and from others
 */
async function importsOf (file: string): Promise<{ files: string[], packages: string[] }> {
  const files = new Set([file])
  const packages = new Set<string>()

  for (const file of files) {
    const text = await readFile(`${ROOT}${file}`, 'utf8')

    for (const [, name] of text.matchAll(/^(?:(?:import|export|\}).* from |import )["']([^"'\n]+)["'];?$/gm)) {
      const entry = /^libp2p-tcp-stun\/(.*)$/.exec(name)?.[1]

      if (name.startsWith('.')) {
        files.add(path.join(path.dirname(file), name))
      } else if (entry != null) {
        files.add(`dist/lib/${entry}/index.js`)
      } else {
        packages.add(name)
      }
    }
  }

  return { files: [...files], packages: [...packages] }
}

describe('the packages', () => {
  for (const { name, folder, code, entries } of [
    {
      name: 'libp2p-tcp-stun',
      folder: ROOT,
      code: 'lib',
      entries: [
        'index', 'dcutr/index', 'mapping/index', 'multiaddr/index', 'net/index', 'server/index', 'stun/index'
      ]
    },
    {
      name: 'tcp-stun',
      folder: `${ROOT}packages/tcp-stun`,
      code: 'src',
      entries: ['index', 'cli/index', 'rendezvous/index', 'rendezvous/client/index', 'config/index']
    }
  ]) {
    describe(name, () => {
      let files: string[]

      before(async () => {
        files = await packedFiles(folder)
      })

      it('ships its entries with types, licences and a README', () => {
        expect(files).to.include.members(['package.json', 'README.md', 'LICENSE-APACHE', 'LICENSE-MIT'])

        for (const entry of entries) {
          expect(files).to.include.members([`dist/${code}/${entry}.js`, `dist/src/${entry}.d.ts`])
        }
      })

      it('is published for everybody, with its provenance', async () => {
        const { publishConfig } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'))

        expect(publishConfig).to.deep.equal({ access: 'public', provenance: true })
      })

      it('ships nothing else', () => {
        const expected = /^(?:dist\/(?:src|lib)|deploy)\/|^(?:package\.json|README\.md|LICENSE-(?:APACHE|MIT))$/
        expect(files.filter(file => !expected.test(file))).to.deep.equal([])
        expect(files.filter(file => /\b(?:test|bench|fuzz)\/|tsbuildinfo|\.map$/.test(file))).to.deep.equal([])
      })

      it('ships what is built from the sources that there are', async () => {
        const sources = await sourcesOf(folder)

        expect(namesIn(files, /^dist\/src\/(.*)\.d\.ts$/)).to.deep.equal(sources)
        expect(namesIn(files, /^dist\/src\/(.*)\.js$/)).to.deep.equal(code === 'src' ? sources : [])
      })
    })
  }

  describe('what libp2p-tcp-stun joins into few files', () => {
    async function read (file: string): Promise<string> {
      return readFile(`${ROOT}${file}`, 'utf8')
    }

    /**
     * The modules in all packed files that match
     */
    async function joinedIn (pattern: RegExp): Promise<string[]> {
      const files = (await packedFiles(ROOT)).filter(file => pattern.test(file))
      const lines = (await Promise.all(files.map(read))).join('\n').split('\n')

      return namesIn(lines, /^\/\/ dist\/src\/(.*)\.js$/)
    }

    it('is every module', async () => {
      const joined = await joinedIn(/\.js$/)
      const sources = await sourcesOf(ROOT)
      const built = await Promise.all(sources.map(async name => read(`dist/src/${name}.js`)))
      // not only comments, types and what others export
      const nothing = /\/\*[^]*?\*\/|\/\/.*|export (?:\*|\{[^}]*\})(?: from "[^"]+")?;/g
      const withCode = sources.filter((_, i) => built[i].replace(nothing, '').trim() !== '')

      expect([...new Set(joined)]).to.deep.equal(withCode)
    })

    it('is in one file only, so that all entries share their state', async () => {
      const joined = await joinedIn(/^dist\/lib\/(?!.*browser).*\.js$/)

      expect(joined).to.have.lengthOf(new Set(joined).size)
    })

    it('takes four files to import', async () => {
      const { files } = await importsOf('dist/lib/index.js')

      expect(files.length, files.join(' ')).to.be.at.most(4)
    })
  })

  for (const { what, file } of [
    ...['net', 'server', 'stun'].map(entry => ({
      what: `the import of libp2p-tcp-stun/${entry}`, file: `dist/lib/${entry}/index.js`
    })),
    { what: '`tcp-stun check`', file: 'packages/tcp-stun/dist/src/cli/check.js' }
  ]) {
    it(`let ${what} do without multiaddrs, libp2p and HTTP until they are needed`, async () => {
      const { packages } = await importsOf(file)

      expect(packages).to.include('@libp2p/interface').and.include('node:net')
      expect(packages.filter(name => SLOW.test(name))).to.deep.equal([])
    })
  }

  for (const { title, mainFields } of [
    { title: 'a browser', mainFields: ['browser', 'module', 'main'] },
    { title: 'React Native', mainFields: ['react-native', 'module', 'main'] }
  ]) {
    it(`a bundle for ${title} says that there is no TCP, once it is used`, async () => {
      const { outputFiles, warnings } = await build({
        stdin: { contents: 'export * from "libp2p-tcp-stun"', resolveDir: ROOT },
        bundle: true,
        format: 'esm',
        platform: 'browser',
        mainFields,
        // its `paths` lead to the sources
        tsconfigRaw: {},
        write: false,
        logLevel: 'silent'
      })
      const [{ text }] = outputFiles
      const bundle = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)

      expect(warnings).to.deep.equal([])
      expect(text).to.not.match(/from\s*"node:/)
      expect(bundle.DEFAULT_STUN_SERVERS).to.be.an('array')
      expect(() => bundle.tcpSTUN()({})).to.throw('browsers and React Native do not have')
    })
  }

  for (const { what, name, contents } of [
    { what: 'the client of a board', name: 'rendezvousClient', contents: 'export * from "tcp-stun/rendezvous-client"' },
    { what: 'the configuration of a helper', name: 'helperConfig', contents: 'export * from "tcp-stun/config"' }
  ]) {
    it(`let a bundle for a browser have ${what}`, async () => {
      const { outputFiles, warnings } = await build({
        stdin: { contents, resolveDir: ROOT },
        bundle: true,
        format: 'esm',
        platform: 'browser',
        // its `paths` lead to the sources
        tsconfigRaw: {},
        write: false,
        logLevel: 'silent'
      })
      const [{ text }] = outputFiles
      const bundle = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)

      expect(warnings).to.deep.equal([])
      expect(text).to.not.match(/from\s*"(?:node:|net|level|datastore)/)
      expect(bundle[name]).to.be.a('function')
    })
  }

  it('let a node in a browser be configured with a helper, without TCP', async () => {
    const { outputFiles: [{ text }] } = await build({
      stdin: { contents: 'export { helperConfig } from "tcp-stun/config"', resolveDir: ROOT },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      tsconfigRaw: {},
      write: false
    })
    const { helperConfig } = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)
    const { addresses } = await helperConfig(HELPER, { namespace: 'chat' })

    expect(addresses.listen).to.deep.equal(['/p2p-circuit'])
  })
})
