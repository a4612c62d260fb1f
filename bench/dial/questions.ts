/**
 * The questions to the two processes of a subject
 */
export type Question =
  /** Be a node that listens; answered with its address */
  { do: 'node' } |
  /** Connect, upgrade and reset, one after the other; answered with the ms of each */
  { do: 'dial', address: string, count: number } |
  /** How many ports a node was dialled from */
  { do: 'ports' } |
  /** Listen without an upgrade; answered with the port */
  { do: 'listen' } |
  /** Open this many sockets, answered when they are connected */
  { do: 'open', port: number, count: number } |
  { do: 'close' } |
  /** Answered when this many are accepted, with the ms from the first to the last */
  { do: 'accepted', count: number } |
  /** Answered when all accepted connections are closed */
  { do: 'forget' } |
  /** In bytes, after the garbage is collected */
  { do: 'memory' }

/**
 * In bytes
 */
export interface Memory {
  resident: number

  /**
   * What JavaScript holds, with what its objects hold outside of the heap
   */
  heap: number
}
