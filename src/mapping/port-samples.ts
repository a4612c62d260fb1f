/**
 * How the NAT has mapped one connection
 */
export interface PortSample {
  localPort: number
  externalHost: string
  externalPort: number

  /**
   * When the connection was begun, and with it the NAT chose the port, in ms by the
   * monotonic clock (`performance.now()`)
   */
  at: number
}

/**
 * More samples say no more about the NAT
 */
const MAX_SAMPLES = 32

/**
 * A NAT may assign another block of ports to its subscriber when the last connection
 * through the former block has ended, so samples of ended connections expire after
 * this many ms
 */
const MAX_AGE = 5 * 60_000

interface Entry {
  sample: PortSample

  /**
   * The connection, as long as it lives
   */
  connection?: object
}

/**
 * The latest samples of the connections to STUN servers. They show how the NAT
 * chooses ports.
 */
export class PortSamples {
  private entries: Entry[] = []

  /**
   * @param sample
   * @param connection - until `markEnded` is called with it, the sample does not expire.
   * A connection that has ended already need not be given.
   */
  add (sample: PortSample, connection?: object): void {
    this.entries = [...this.entries, { sample, connection }].slice(-MAX_SAMPLES)
  }

  markEnded (connection: object): void {
    this.entries = this.entries.map(entry => entry.connection === connection ? { sample: entry.sample } : entry)
  }

  /**
   * The samples that are still true, the oldest first. A TCP connection keeps its
   * address: while any lives, only addresses of living connections are present ones.
   */
  list (now: number): PortSample[] {
    const current = this.entries.filter(({ sample, connection }) => connection != null || now - sample.at < MAX_AGE)
    const hosts = new Set(
      current.filter(({ connection }) => connection != null).map(({ sample }) => sample.externalHost)
    )

    return current
      .map(({ sample }) => sample)
      .filter(({ externalHost }) => hosts.size === 0 || hosts.has(externalHost))
      .sort((a, b) => a.at - b.at)
  }
}
