import { sealRecord } from '../signed-record.ts'
import type { RendezvousClientComponents } from './components.ts'
import type { RecordForm } from '../signed-record.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Changes of address within this time become one record, in ms
 */
const SETTLE = 100

/**
 * The signed record of this node. While the addresses stay the same so do its bytes: a
 * board tells the others only what is new.
 */
export class OwnRecord {
  private readonly components: RendezvousClientComponents
  private readonly sealed = new Map<RecordForm, Promise<Uint8Array<ArrayBuffer>>>()
  private readonly listeners = new Set<() => void>()
  private addresses: Multiaddr[] = []
  private sequence = 0n
  private timer?: ReturnType<typeof setTimeout>

  constructor (components: RendezvousClientComponents) {
    this.components = components
  }

  start (): void {
    this.update()
    this.components.events.addEventListener('transport:listening', this.updateLater)
    this.components.events.addEventListener('transport:close', this.updateLater)
    this.components.events.addEventListener('self:peer:update', this.updateLater)
  }

  stop (): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.components.events.removeEventListener('transport:listening', this.updateLater)
    this.components.events.removeEventListener('transport:close', this.updateLater)
    this.components.events.removeEventListener('self:peer:update', this.updateLater)
  }

  /**
   * Whether the node has an address
   */
  get exists (): boolean {
    return this.addresses.length > 0
  }

  async seal (form: RecordForm): Promise<Uint8Array<ArrayBuffer>> {
    const { addresses, sequence } = this
    const record = this.sealed.get(form) ??
      sealRecord({ privateKey: this.components.privateKey, addresses, sequence, form })
    this.sealed.set(form, record)

    return record
  }

  /**
   * Call back once, when the addresses change
   *
   * @returns a function that takes it back
   */
  onChange (listener: () => void): () => void {
    this.listeners.add(listener)

    return () => { this.listeners.delete(listener) }
  }

  private readonly updateLater = (): void => {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.update()
    }, SETTLE)
  }

  private update (): void {
    const addresses = this.components.addressManager.getAddresses()

    if (isSame(addresses, this.addresses)) {
      return
    }

    const now = BigInt(Date.now())
    this.addresses = addresses
    this.sequence = now > this.sequence ? now : this.sequence + 1n
    this.sealed.clear()

    for (const listener of [...this.listeners]) {
      this.listeners.delete(listener)
      listener()
    }
  }
}

function isSame (a: Multiaddr[], b: Multiaddr[]): boolean {
  return a.map(String).sort().join() === b.map(String).sort().join()
}
