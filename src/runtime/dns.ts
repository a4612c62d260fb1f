import dns from 'node:dns/promises'
import type { AbortOptions } from '@libp2p/interface'

/**
 * A server's name and port as an SRV record gives them (RFC 2782)
 */
export interface SRVRecord {
  name: string
  port: number
  priority: number
  weight: number
}

/**
 * Names come in through this. Both methods reject with the system's error when
 * there is no answer.
 */
export interface DNS {
  /**
   * The addresses of a name, as the system resolves it (its hosts file too)
   */
  lookup(name: string, family: 4 | 6, options?: AbortOptions): Promise<string[]>

  /**
   * The SRV records of a name
   */
  resolveSrv(name: string, options?: AbortOptions): Promise<SRVRecord[]>
}

/**
 * SRV records are few, and a resolver that drops the question must not hold up
 * the first address: one try of this many ms, then the default port is taken
 */
const SRV_TIMEOUT = 1_500

export const systemDNS: DNS = {
  async lookup (name, family, options) {
    options?.signal?.throwIfAborted()
    const addresses = await dns.lookup(name, { family, all: true })
    options?.signal?.throwIfAborted()

    return addresses.map(({ address }) => address)
  },

  async resolveSrv (name, options) {
    options?.signal?.throwIfAborted()
    const resolver = new dns.Resolver({ timeout: SRV_TIMEOUT, tries: 1 })
    const cancel = (): void => { resolver.cancel() }
    options?.signal?.addEventListener('abort', cancel)

    try {
      return await resolver.resolveSrv(name)
    } finally {
      options?.signal?.removeEventListener('abort', cancel)
    }
  }
}
