import { formatEndpoint } from '../address/endpoint.ts'
import { refuseReferral } from './referral.ts'
import type { BindingResult } from './binding-result.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The other endpoints of a server, the best first: its other addresses in the DNS,
 * its OTHER-ADDRESS (RFC 5780, section 7.4), and the port of OTHER-ADDRESS at the
 * address that answered. One local port cannot have two connections to one endpoint.
 */
export function otherEndpoints (
  server: Endpoint,
  resolved: Endpoint[],
  { otherAddress }: Pick<BindingResult, 'otherAddress'>
): Endpoint[] {
  const others = new Map<string, Endpoint>()

  for (const other of [
    ...resolved,
    ...(otherAddress == null ? [] : [otherAddress, { host: server.host, port: otherAddress.port }])
  ]) {
    if (refuseReferral(other, server) == null) {
      others.set(formatEndpoint(other), other)
    }
  }

  others.delete(formatEndpoint(server))

  return [...others.values()]
}
