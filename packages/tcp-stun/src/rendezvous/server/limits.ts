/**
 * What a board accepts. The defaults are those of rust-libp2p after its security advisories,
 * but for shorter times.
 */
export interface BoardLimits {
  /**
   * How many registrations there may be in all
   *
   * @default 10_000
   */
  maxRegistrations: number

  /**
   * How many registrations a peer may have
   *
   * @default 32
   */
  maxRegistrationsPerPeer: number

  /**
   * How many registrations the peers of one IPv4 address or IPv6 /64 may have. An IPv6 /56
   * may have twice as many, a /48 four times as many.
   *
   * @default 256
   */
  maxRegistrationsPerAddress: number

  /**
   * The shortest time that a registration may last, in s
   *
   * @default 60
   */
  minTTL: number

  /**
   * The longest time that a registration may last, in s
   *
   * @default 259_200, which is 72 hours
   */
  maxTTL: number

  /**
   * How many bytes a signed peer record may have. One with four addresses has about 330.
   *
   * @default 4_096
   */
  maxRecordLength: number
}

export const DEFAULT_BOARD_LIMITS: BoardLimits = {
  maxRegistrations: 10_000,
  maxRegistrationsPerPeer: 32,
  maxRegistrationsPerAddress: 256,
  minTTL: 60,
  maxTTL: 72 * 60 * 60,
  maxRecordLength: 4_096
}
