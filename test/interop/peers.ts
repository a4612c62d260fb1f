import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host, Program } from '../nat-lab/index.ts'
import type { NodeOptions } from '../nat-lab/programs/node.ts'

export type Language = 'go' | 'js' | 'rust'

const FOLDER = path.dirname(fileURLToPath(import.meta.url))

/**
 * Where `scripts/build-interop` puts the peers, from `dist/test/interop`
 */
const BUILD = path.join(FOLDER, '../../../interop/build')

export const BINARIES = { go: path.join(BUILD, 'go-peer'), rust: path.join(BUILD, 'rust-peer') }

const TOOLCHAINS = { go: 'Go 1.26 or later', rust: 'Rust 1.88 or later with cargo' }

/**
 * What is missing to run peers of these languages, undefined when nothing is
 */
export function missingPeers (languages: Array<keyof typeof BINARIES> = ['go', 'rust']): string | undefined {
  const missing = languages.filter(language => !isExecutable(BINARIES[language]))

  return missing.length === 0
    ? undefined
    : `${missing.map(language => TOOLCHAINS[language]).join(' and ')}, then scripts/build-interop`
}

/**
 * The options of peers in every language. Those of our transport, like `stunServers`,
 * are for js.
 */
export type PeerOptions = Partial<NodeOptions>

/**
 * Start a peer that listens on every address of a host, by default on port 4001
 */
export function startPeer (host: Host, language: Language, options: PeerOptions = {}): Program {
  const { listen = ['/ip4/0.0.0.0/tcp/4001'] } = options

  if (language === 'js') {
    return host.run('node', { ...options, listen })
  }

  const { security = 'noise', reserve, relay, autonat, punch } = options

  return host.exec(BINARIES[language], [
    ...listen.flatMap(address => ['--listen', address]),
    '--security', security,
    ...(reserve == null ? [] : ['--reserve', reserve]),
    ...(relay === true ? ['--relay'] : []),
    ...(autonat === true ? ['--autonat-server'] : []),
    ...(punch === true ? ['--punch'] : [])
  ])
}

function isExecutable (file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
