import type { RecordForm } from '../signed-record.ts'

/**
 * What a peer registers
 */
export interface NewRegistration {
  record: Uint8Array<ArrayBuffer>

  /**
   * How long it lasts, in s
   */
  ttl: number

  /**
   * The helper that accepts it
   */
  via: string

  /**
   * The IP addresses that its peer is connected from, as far as they are its own
   */
  hosts: string[]
}

/**
 * One registration on the board. There are many: no field is there for convenience.
 */
export interface Registration {
  readonly peer: string
  readonly namespace: string
  readonly form: RecordForm
  readonly record: Uint8Array<ArrayBuffer>

  /**
   * Its place on the board: later registrations have larger numbers
   */
  readonly position: number

  /**
   * When it expires, in ms of the monotonic clock
   */
  expires: number

  /**
   * Which helper has accepted it
   */
  via: string

  /**
   * The networks that it counts for, none where it was stored or came from another helper
   */
  networks: string[]

  /**
   * Whether it has left the board. Lists drop it when they are next compacted.
   */
  removed: boolean

  /**
   * The next registration of the same peer
   */
  next?: Registration
}
