/* eslint-disable no-console */
import { readFile, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The result of a scenario: a line of JSON on the standard output, and a row of the
 * table in the file that `INTEROP_REPORT` names
 */
export interface Result {
  scenario: string
  peers: string
  attempts: number
  succeeded: number

  /**
   * The median of what was measured, in ms
   */
  median?: number

  /**
   * Why some failed
   */
  failures?: string[]
}

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')

const results: Result[] = []

export function report (result: Result): void {
  results.push(result)
  console.log(JSON.stringify(result))
}

// a hook of the whole run, all suites report here
after(async () => {
  if (process.env.INTEROP_REPORT != null) {
    await writeFile(path.join(ROOT, process.env.INTEROP_REPORT), await page())
  }
})

async function page (): Promise<string> {
  const versions = await findVersions()
  const rows = results.map(({ scenario, peers, attempts, succeeded, median, failures = [] }) => {
    return `| ${scenario} | ${peers} | ${succeeded} of ${attempts} | ${median == null ? '' : Math.round(median)} ` +
      `| ${failures.map(failure => failure.replaceAll('|', '\\|').slice(0, 120)).join('; ')} |`
  })

  return `# Interoperability with go-libp2p and rust-libp2p

Written by \`npm run test:interop -- --report\`: real processes in network namespaces with the kernel's NAT.
In a punch A dials B through a relay, and B starts DCUtR. Both are behind NATs with endpoint-independent mapping and
address-and-port-dependent filtering, with preserved ports. Pairs of go with go, and rust with rust, are there for
comparison.

| | version |
|---|---|
${Object.entries(versions).map(([name, version]) => `| ${name} | ${version} |`).join('\n')}

| scenario | peers | succeeded | median, ms | failures |
|---|---|---|---|---|
${rows.join('\n')}
`
}

async function findVersions (): Promise<Record<string, string>> {
  const read = async (file: string): Promise<string> => readFile(path.join(ROOT, file), 'utf8')
  const [goMod, cargo, ...packages] = await Promise.all([
    read('interop/go/go.mod'),
    read('interop/rust/Cargo.toml'),
    ...['libp2p', '@libp2p/dcutr', '@libp2p/circuit-relay-v2', '@libp2p/autonat-v2'].map(async name =>
      read(`node_modules/${name}/package.json`)
    )
  ])

  return {
    'go-libp2p': /go-libp2p v(\S+)/.exec(goMod)?.[1] ?? '',
    'rust-libp2p': /^libp2p = .*"=([\d.]+)"/m.exec(cargo)?.[1] ?? '',
    ...Object.fromEntries(packages.map(text => JSON.parse(text)).map(({ name, version }) => [name, version])),
    'Node.js': process.version,
    Linux: os.release()
  }
}
