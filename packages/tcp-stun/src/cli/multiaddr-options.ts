import { isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { InvalidArgumentError } from 'commander'
import { markAsList } from './options.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Command } from 'commander'

/**
 * The multiaddrs that `check` is given
 */
export interface CheckMultiaddrs {
  helper: Multiaddr[] | undefined
  peer: Multiaddr[] | undefined
  node: Multiaddr | undefined
}

/**
 * As they were given
 */
export interface MultiaddrTexts {
  helper?: string[]
  peer?: string[]
  node?: string
}

/**
 * Read them, or end the program as commander does for a wrong option
 */
export function toMultiaddrs ({ helper, peer, node }: MultiaddrTexts, command: Command): CheckMultiaddrs {
  return {
    helper: helper?.flatMap(text => read('--helper', text, helperAddress)),
    peer: peer?.flatMap(text => read('--peer', text, peerAddress)),
    node: node == null ? undefined : read('--node', node, tcpAddress)
  }

  function read<T> (name: string, text: string, parse: (text: string) => T): T {
    try {
      return parse(text)
    } catch (err: any) {
      const flags = command.options.find(({ long }) => long === name)?.flags

      return command.error(`error: option '${flags}' argument '${text}' is invalid. ${err.message}`)
    }
  }
}

/**
 * A multiaddr of a TCP port, several times
 */
export function multiaddrs (text: string, previous: Multiaddr[] = []): Multiaddr[] {
  return [...previous, tcpAddress(text)]
}

function tcpAddress (text: string): Multiaddr {
  try {
    const address = multiaddr(text)

    if (TCP.exactMatch(address)) {
      return address
    }
  } catch {
    // said below
  }

  throw new InvalidArgumentError('It must be a multiaddr of a TCP port like /ip4/203.0.113.1/tcp/4001/p2p/12D3Koo...')
}

/**
 * A multiaddr of a TCP port, or of a name that has such in its TXT records
 */
function peerAddress (text: string): Multiaddr {
  if (text.startsWith('/dnsaddr/')) {
    try {
      return multiaddr(text)
    } catch {
      throw new InvalidArgumentError('It must be a name like /dnsaddr/bootstrap.libp2p.io.')
    }
  }

  return tcpAddress(text)
}

/**
 * A host and a port as `host:port`, as a multiaddr
 */
function helperAddress (text: string): Multiaddr {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d+)$/.exec(text) ?? []
  const host = bracketed ?? plain
  const version = isIP(host ?? '')

  if (host == null || Number(port) < 1 || Number(port) > 65_535 || (bracketed != null && version !== 6)) {
    throw new InvalidArgumentError(
      text.startsWith('/')
        ? 'It must be a host and a port. Multiaddrs go to --peer.'
        : 'It must be a host and a port like helper.example.org:4001 or [2001:db8::1]:4001.'
    )
  }

  return tcpAddress(`/${version === 0 ? 'dns' : `ip${version}`}/${host}/tcp/${port}`)
}

markAsList(multiaddrs)
