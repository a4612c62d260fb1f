import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { Endpoint } from 'libp2p-tcp-stun/net'

const STUN_PORT = 3478

/**
 * Files that a node needs to be let in
 */
export interface NodeSecrets {
  networkKey?: string
  credential?: string
}

/**
 * The line of JavaScript that makes a node of a helper's network
 *
 * @param addresses - of the helper
 * @param stun - where its STUN server listens
 */
export function nodeLine (addresses: string[], stun: Endpoint[], { networkKey, credential }: NodeSecrets): string {
  const address = addresses.find(address => !address.includes('/127.0.0.1/') && !address.includes('/ip6/::1/')) ??
    addresses[0] ?? ''
  const options = [
    "namespace: 'my-app'",
    ...stun.some(({ port }) => port === STUN_PORT) ? [] : [`stunServers: [${stunServers(address, stun).join(', ')}]`],
    ...networkKey == null ? [] : [`networkKey: await readFile('${networkKey}')`],
    ...credential == null ? [] : [`stunCredential: await readFile('${credential}', 'utf8')`]
  ]

  return `const node = await createLibp2p(await helperConfig('${address}', { ${options.join(', ')} }))`
}

function stunServers (address: string, stun: Endpoint[]): string[] {
  const [, host = '127.0.0.1'] = /^\/(?:ip[46]|dns[46]?)\/([^/]+)/.exec(address) ?? []

  return stun
    .filter(endpoint => endpoint.host.includes(':') === host.includes(':'))
    .map(({ port }) => `'stun:${formatEndpoint({ host, port })}'`)
}
