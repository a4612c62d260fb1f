import type { TCPSTUNComponents } from '../components.ts'

/**
 * Of version 1, and of the client of version 2. The prefix can be configured.
 */
const CLIENT_PROTOCOL = /\/autonat\/(1\.0\.0|2\/dial-back)$/

/**
 * Whether the node asks peers to dial its addresses
 */
export function hasAutoNATClient ({ registrar }: Pick<TCPSTUNComponents, 'registrar'>): boolean {
  return registrar?.getProtocols().some(protocol => CLIENT_PROTOCOL.test(protocol)) === true
}
