import type { STUNServer, STUNServerEvents, STUNServerInit } from 'libp2p-tcp-stun/server'

export interface ProductionServerInit extends STUNServerInit {
  /**
   * Serve from this many processes, which share the ports (SO_REUSEPORT, Linux).
   * Each has its share of the limits. One that ends or hangs is replaced, and only
   * its own connections are lost. They send `binding`, `reset` and `refuse` events
   * only while there are listeners for them, and drop some of a flood. 0 serves
   * from this process.
   *
   * @default 0
   */
  workers?: number
}

/**
 * A worker process ended unexpectedly, and is replaced
 */
export interface WorkerExitEvent {
  pid: number

  /**
   * Its exit code, or the signal that ended it
   */
  cause: number | string
}

export interface ProductionServerEvents extends STUNServerEvents {
  'worker:exit': CustomEvent<WorkerExitEvent>

  /**
   * A worker began to serve: one of the first, or a replacement
   */
  'worker:start': CustomEvent<{ pid: number }>
}

/**
 * A STUN server in one or several processes. With workers the counters are their
 * sum, at most a second old.
 */
export interface ProductionServer extends Omit<STUNServer<ProductionServerEvents>, 'accept'> {
  /**
   * The process ids of the workers that serve; empty without workers
   */
  readonly workers: number[]
}
