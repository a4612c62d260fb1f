import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/**
 * The commands that a laboratory needs, and Debian's package of each
 */
const TOOLS = {
  ip: 'iproute2',
  nft: 'nftables',
  ethtool: 'ethtool',
  conntrack: 'conntrack',
  python3: 'python3',
  unshare: 'util-linux',
  nsenter: 'util-linux'
}

/**
 * Whether this machine can run a laboratory, and what is missing otherwise
 */
export type LabSupport =
  { supported: true; privileges: 'root' | 'user-namespace' } | { supported: false; missing: string }

/**
 * The PATH, and where Debian installs commands for root
 */
export const LAB_PATH = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].join(':')

let support: LabSupport | undefined

export function labSupport (): LabSupport {
  support ??= findSupport()

  return support
}

function findSupport (): LabSupport {
  if (process.platform !== 'linux') {
    return { supported: false, missing: `Linux: ${process.platform} has no network namespaces` }
  }

  const packages = Object.entries(TOOLS).filter(([tool]) => !isInstalled(tool)).map(([, name]) => name)

  if (packages.length > 0) {
    return { supported: false, missing: `apt-get install ${[...new Set(packages)].join(' ')}` }
  }

  const privileges = process.getuid?.() === 0 ? 'root' : 'user-namespace'

  try {
    execFileSync(
      'unshare',
      [...unshareArgs(privileges), 'sh', '-c', 'ip link add veth0 type veth peer name veth1 && nft add table ip t'],
      {
        env: { ...process.env, PATH: LAB_PATH },
        stdio: 'pipe'
      }
    )
  } catch (err: any) {
    return {
      supported: false,
      missing: 'permission to create network namespaces (as root, or with unprivileged user namespaces): ' +
        String(err.stderr ?? err.message).trim()
    }
  }

  return { supported: true, privileges }
}

export function unshareArgs (privileges: 'root' | 'user-namespace'): string[] {
  return [...(privileges === 'root' ? [] : ['--user', '--map-root-user']), '--net', '--mount']
}

/**
 * Whether a command is on the laboratory's PATH
 */
export function isInstalled (tool: string): boolean {
  return LAB_PATH.split(':').some(folder => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
