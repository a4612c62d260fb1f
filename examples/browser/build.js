/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * Builds the page into one HTML file: `node build.js [FILE]`
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'

const [,, file = path.join(import.meta.dirname, 'dist', 'chat.html')] = process.argv
const { outputFiles: [{ text }] } = await build({
  entryPoints: [path.join(import.meta.dirname, 'page.js')],
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  // its `paths` lead to the sources of the packages, which are not for browsers
  tsconfigRaw: {},
  write: false
})
const html = await readFile(path.join(import.meta.dirname, 'page.html'), 'utf8')
// a script ends at the first </script, wherever that is
const script = `<script type="module">${text.replaceAll('</script', '<\\/script')}</script>`

await mkdir(path.dirname(file), { recursive: true })
await writeFile(file, html.replace(/<script .*<\/script>/, () => script))
console.info(`${file}: ${Math.round((html.length + script.length) / 1_024)} kB`)
