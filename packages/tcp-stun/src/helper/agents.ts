import type { Connection, IdentifyResult } from '@libp2p/interface'

/**
 * How long a peer may take to say what it is, in ms
 */
const TIMEOUT = 3_000

interface Identify {
  identify(connection: Connection, options: { signal: AbortSignal }): Promise<IdentifyResult>
}

/**
 * Asks a peer which software it runs, once for each connection. A helper does not ask all of its peers.
 */
export class Agents {
  private readonly identify: () => Identify
  private readonly asked = new WeakMap<Connection, Promise<string | undefined>>()

  constructor (identify: () => Identify) {
    this.identify = identify
  }

  async of (connection: Connection): Promise<string | undefined> {
    const asked = this.asked.get(connection) ?? this.ask(connection)
    this.asked.set(connection, asked)

    return asked
  }

  private async ask (connection: Connection): Promise<string | undefined> {
    try {
      const { agentVersion } = await this.identify().identify(connection, { signal: AbortSignal.timeout(TIMEOUT) })

      return agentVersion
    } catch {
      // it does not say
    }
  }
}
