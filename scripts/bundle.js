/**
 * Joins what is built of `src/` into the few files that the package ships, in `dist/lib/`.
 * Node takes as long to load a file as to run what most of ours have in them, and the import
 * of the transport would load 70.
 *
 * Each entry of package.json is a file. What the import of the transport shares with other
 * entries is two files, so that both have the same modules: what needs multiaddrs, which take
 * longer to load than all of ours, and what does without them, as STUN clients, servers and
 * `tcp-stun check` do. What is loaded on demand is apart.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'

const SOURCE = 'dist/src'
const TARGET = 'dist/lib'
const { exports } = JSON.parse(await readFile('package.json', 'utf8'))
const main = `${SOURCE}/index.js`
const MULTIADDRS = /^@multiformats\//
const entries = Object.values(exports).map(entry => path.normalize(entry.import.replace(TARGET, SOURCE)))

/** @type {import('esbuild').BuildOptions} */
const OPTIONS = {
  outbase: SOURCE,
  outdir: TARGET,
  bundle: true,
  format: 'esm',
  packages: 'external',
  target: 'es2023',
  // its `paths` lead to the sources
  tsconfigRaw: {}
}

await rm(TARGET, { recursive: true, force: true })
await bundleForNode()
await bundleForBrowsers()
await writeTypes()

async function bundleForNode () {
  const options = {
    ...OPTIONS,
    platform: 'node',
    entryPoints: entries,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]'
  }
  const { metafile: { inputs } } = await build({ ...options, write: false, metafile: true })
  const onDemand = Object.values(inputs)
    .flatMap(({ imports }) => imports)
    .filter(({ kind, external }) => kind === 'dynamic-import' && external !== true)
    .map(({ path }) => path)
  const others = entries.filter(entry => entry !== main).map(file => closure(inputs, file))
  const shared = [...closure(inputs, main)].filter(file => others.some(files => files.has(file)))
  const [light, heavy] = [false, true].map(isHeavy => shared.filter(file => needsMultiaddrs(inputs, file) === isHeavy))
  const files = new Map([...entries, ...onDemand].map(file =>
    [file, needsMultiaddrs(inputs, file) ? [...light, ...heavy] : light]
  ))

  await build({
    ...options,
    // keep all of each module, so that modules that are wanted together are in one file
    treeShaking: false,
    ignoreAnnotations: true,
    plugins: [importShared(files)]
  })
}

/**
 * The modules that a module loads, with itself
 *
 * @param {import('esbuild').Metafile['inputs']} inputs
 * @param {string} file
 */
function closure (inputs, file) {
  const files = new Set([file])

  for (const loaded of files) {
    inputs[loaded].imports
      .filter(({ kind, external }) => kind === 'import-statement' && external !== true)
      .forEach(({ path }) => { files.add(path) })
  }

  return files
}

/**
 * @param {import('esbuild').Metafile['inputs']} inputs
 * @param {string} file
 */
function needsMultiaddrs (inputs, file) {
  return [...closure(inputs, file)].some(module =>
    inputs[module].imports.some(({ kind, path }) => kind === 'import-statement' && MULTIADDRS.test(path))
  )
}

/**
 * Has each of these files load all modules that are named for it. What the same files load is one chunk.
 *
 * @param {Map<string, string[]>} files
 * @returns {import('esbuild').Plugin}
 */
function importShared (files) {
  return {
    name: 'shared',
    setup ({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path: file }) => {
        const shared = files.get(path.relative('.', file))?.filter(module => path.resolve(module) !== file)

        return shared == null
          ? undefined
          : {
              contents: shared.map(module => `import ${JSON.stringify(path.resolve(module))}\n`).join('') +
                await readFile(file, 'utf8')
            }
      })
    }
  }
}

/**
 * With the files that browsers and React Native get in place of those for Node
 */
async function bundleForBrowsers () {
  await build({
    ...OPTIONS,
    platform: 'browser',
    entryPoints: { 'index.browser': main },
    plugins: [{
      name: 'browser',
      setup ({ onResolve }) {
        onResolve({ filter: /\/(?:options|transport)\.js$/ }, ({ path: file, resolveDir }) => ({
          path: path.resolve(resolveDir, file.replace(/\.js$/, '.browser.js'))
        }))
      }
    }]
  })
}

/**
 * Tools that look beside an entry for its types find them there
 */
async function writeTypes () {
  for (const entry of entries) {
    const file = entry.replace(SOURCE, TARGET)
    const types = path.posix.relative(path.posix.dirname(file), entry)
    await writeFile(file.replace(/\.js$/, '.d.ts'), `export * from '${types}'\n`)
  }
}
