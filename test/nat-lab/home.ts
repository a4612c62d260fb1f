import { multiaddr } from '@multiformats/multiaddr'
import type { Program } from './program.ts'
import type { Endpoint } from '../../src/stun/endpoint.ts'

/**
 * The host and port of a multiaddr like /ip4/1.2.3.4/tcp/5
 */
export function toEndpoint (address: string): Endpoint {
  const [host, port] = multiaddr(address).getComponents()

  return { host: host.value ?? '', port: Number(port.value) }
}

/**
 * The last status of a program's mapping
 */
export function lastMapping (program: Program): any {
  return program.events.filter(({ event }) => event === 'mapping').at(-1)
}
