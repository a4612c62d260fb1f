import { isIP } from 'node:net'
import path from 'node:path'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { parseSTUNURI } from 'libp2p-tcp-stun/stun'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The flags of a check that another one needs too
 */
export interface CheckFlags {
  servers: string[]
  helpers: Multiaddr[]
  peers: Multiaddr[]

  /**
   * The local port, 0 for any
   */
  port: number
}

/**
 * Stands for the port of the user's node
 */
export const EXAMPLE_PORT = 4001

/**
 * The port that a node should listen on
 */
export function nodePort ({ port }: Pick<CheckFlags, 'port'>): number {
  return port === 0 ? EXAMPLE_PORT : port
}

/**
 * How the user has run the command. What npx installs no later command finds.
 *
 * @param script - the path of the program
 */
export function commandName (script = process.argv[1], env = process.env): string {
  const isByNpx = env.npm_command === 'exec' && path.basename(script ?? '') === 'tcp-stun'

  return isByNpx ? 'npx tcp-stun' : 'tcp-stun'
}

export interface Again {
  /**
   * Only this IP version, so what has an address of the other one is left out
   */
  version?: 4 | 6

  /**
   * Further flags
   */
  more?: string[]
}

/**
 * The command for another check, with the same servers and peers
 */
export function checkAgain (flags: CheckFlags, { version, more = [] }: Again = {}): string {
  const { servers, helpers, peers } = forVersion(flags, version)

  return [
    `${commandName()} check`,
    ...(version == null ? [] : [`-${version}`]),
    ...more,
    ...servers.map(uri => `-s ${quote(uri)}`),
    ...helpers.map(helper => `--helper ${hostAndPort(helper)}`),
    ...peers.map(peer => `--peer ${peer}`)
  ].join(' ')
}

/**
 * The same with a peer outside, where none was named yet
 */
export function checkFromOutside (flags: CheckFlags, again: Again): string {
  const { helpers, peers } = forVersion(flags, again.version)
  const command = checkAgain(flags, again)

  return helpers.length + peers.length > 0 ? command : `${command} --helper helper.example.org:4001`
}

function forVersion ({ servers, helpers, peers, port }: CheckFlags, version?: 4 | 6): CheckFlags {
  const other = version === 4 ? 6 : version === 6 ? 4 : undefined
  const isOfOther = (address: Multiaddr): boolean => address.getComponents()[0].name === `ip${other}`

  return {
    servers: servers.filter(uri => other == null || isIP(parseSTUNURI(uri).host) !== other),
    helpers: helpers.filter(address => !isOfOther(address)),
    peers: peers.filter(address => !isOfOther(address)),
    port
  }
}

/**
 * The command that asks the user's running node
 */
export function askNodeCommand (flags: Pick<CheckFlags, 'port'>): string {
  return `${commandName()} check --node /ip4/127.0.0.1/tcp/${nodePort(flags)}`
}

/**
 * A helper was named by a host and a port, and its multiaddr has nothing else
 */
function hostAndPort (address: Multiaddr): string {
  const [host = '', port] = address.getComponents().map(({ value }) => value)

  return formatEndpoint({ host, port: Number(port) })
}

/**
 * A URI may have characters of the shell, as in `stun:host?transport=tcp`
 */
function quote (text: string): string {
  return /^[\w.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
