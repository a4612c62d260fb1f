import { isIP } from 'node:net'
import { isUnspecified } from '../address/scope.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The OTHER-ADDRESS for clients of one endpoint: a listener of the same family
 * whose address and port both differ (RFC 5780, section 7.4), else one with another
 * address, else one with another port. A listener on all addresses is reached at
 * the address that the client already uses.
 */
export function otherAddress (server: Endpoint, listeners: Endpoint[]): Endpoint | undefined {
  const rank = ({ host, port }: Endpoint): number => (host === server.host ? 0 : 2) + (port === server.port ? 0 : 1)

  return listeners
    .filter(({ host }) => isIP(host) === isIP(server.host))
    .map(({ host, port }) => ({ host: isUnspecified(host) ? server.host : host, port }))
    .filter(other => rank(other) > 0)
    .reduce<Endpoint | undefined>((best, other) => best == null || rank(other) > rank(best) ? other : best, undefined)
}
