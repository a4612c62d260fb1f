/**
 * Which connections are wanted
 */
export interface Target {
  /**
   * How many
   */
  wanted: number

  /**
   * Whether they may be renewed ahead of their end
   */
  mayRenew: boolean

  /**
   * Whether opinions are needed: servers that hang up at once are asked too
   */
  isUrgent: boolean

  /**
   * How often the connection that is held longest is kept alive, and each is asked after a
   * multiple of it, in ms
   */
  keepAliveInterval: number

  /**
   * How often the others are kept alive, in ms
   */
  othersInterval: number
}

/**
 * Why a connection that held the mapping is replaced:
 *
 * - `ahead`: its server would have ended it soon
 * - `ended`: its server ended it
 * - `failed`: its server did not answer, or not as it should
 * - `moved`: the system would now connect to the server from another local address
 */
export type RenewalCause = 'ahead' | 'ended' | 'failed' | 'moved'
