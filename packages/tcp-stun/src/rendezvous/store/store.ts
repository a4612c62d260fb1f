import type { RecordForm } from '../signed-record.ts'

/**
 * A registration as a store keeps it. Peer, namespace and form are its key.
 */
export interface StoredRegistration {
  peer: string
  namespace: string
  form: RecordForm
  record: Uint8Array<ArrayBuffer>

  /**
   * When it expires, in ms since the epoch
   */
  expires: number

  /**
   * Its place on the board: later registrations have larger numbers
   */
  position: number

  /**
   * Which helper has accepted it
   */
  via: string
}

export type RegistrationKey = Pick<StoredRegistration, 'peer' | 'namespace' | 'form'>

/**
 * A registration was added, replaced or refreshed, or it was removed
 */
export type Change =
  | { type: 'put', registration: StoredRegistration }
  | { type: 'delete', key: RegistrationKey, via: string }

/**
 * Told what becomes of a store while it is in use
 */
export interface StoreObserver {
  /**
   * Another helper has changed the board
   */
  onChange(change: Change): void

  /**
   * Changes of other helpers may have been missed: the board should load again
   */
  onGap(): void

  /**
   * A part of the store cannot be read. The text says where, and what was done about it.
   */
  onDamage(text: string): void

  /**
   * The connection to the store was lost, or is there again
   */
  onConnection(err?: Error): void
}

/**
 * Where a board keeps its registrations, so that they outlive a restart. The board reads
 * it when it starts, and afterwards only writes.
 */
export interface BoardStore {
  /**
   * Where it is, for messages
   */
  readonly name: string

  /**
   * @throws the store cannot be used at all
   */
  open(observer: StoreObserver): Promise<void>

  /**
   * Everything that is stored and can be read
   */
  load(): AsyncIterable<StoredRegistration>

  /**
   * @throws nothing, or a part of it, was written; the board will try again
   */
  write(changes: Change[]): Promise<void>

  close(): Promise<void>
}

export function keyOf ({ peer, namespace, form }: RegistrationKey): string {
  return `${form}/${peer}/${namespace}`
}
