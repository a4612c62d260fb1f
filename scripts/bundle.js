/**
 * Joins what is built of `src/` into the few files that the package ships, in `dist/lib/`.
 * Node takes as long to load a file as to run what most of ours have in them, and the import
 * of the transport would load 70.
 *
 * Each entry of package.json is a file. What the import of the transport shares with other
 * entries is one file, so that both have the same modules, and what is loaded on demand is
 * apart.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'

const SOURCE = 'dist/src'
const TARGET = 'dist/lib'
const { exports } = JSON.parse(await readFile('package.json', 'utf8'))
const main = `${SOURCE}/index.js`
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

  await build({
    ...options,
    // keep all of each module, so that modules that are wanted together are in one file
    treeShaking: false,
    ignoreAnnotations: true,
    plugins: [importEverywhere(shared, new Set([...entries, ...onDemand]))]
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
 * Has each of these files load all shared modules, which makes them one chunk
 *
 * @param {string[]} shared
 * @param {Set<string>} files
 * @returns {import('esbuild').Plugin}
 */
function importEverywhere (shared, files) {
  const namespace = 'shared'

  return {
    name: namespace,
    setup ({ onLoad, onResolve }) {
      onResolve({ filter: /^shared:$/ }, () => ({ path: namespace, namespace, sideEffects: true }))
      onLoad({ filter: /./, namespace }, () => ({
        contents: shared.map(file => `import ${JSON.stringify(path.resolve(file))}`).join('\n'),
        resolveDir: process.cwd()
      }))
      onLoad({ filter: /\.js$/, namespace: 'file' }, async ({ path: file }) =>
        files.has(path.relative('.', file))
          ? { contents: `import 'shared:'\n${await readFile(file, 'utf8')}` }
          : undefined
      )
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
