import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { Message } from '../../packages/tcp-stun/src/rendezvous/pb/rendezvous.ts'
import { PROTOCOL } from '../../packages/tcp-stun/src/rendezvous/protocol.ts'
import { sealRecord } from '../../packages/tcp-stun/src/rendezvous/signed-record.ts'
import { LightPeer } from '../../test/fixtures/light-peer.ts'
import { reserve } from '../../test/fixtures/relay-reservation.ts'
import type { Stream } from '@libp2p/interface'

const { MessageType } = Message

/**
 * What the client of the board asks for, in ms and registrations
 */
const WAIT = 30_000
const PAGE = 200n

/**
 * As often as a node of `helperConfig` pings, in ms
 */
const PING_INTERVAL = 60_000
const PING = '/ipfs/ping/1.0.0'

/**
 * A light peer that does what a node does at its helper: reserve, register, ping, and wait
 * for news of its namespace
 */
export class Member {
  readonly peer: LightPeer
  private readonly namespace: string
  private stream?: Stream
  private messages?: ReturnType<typeof lpStream>
  private cookie?: Uint8Array<ArrayBuffer>
  private timer?: NodeJS.Timeout

  private constructor (peer: LightPeer, namespace: string) {
    this.peer = peer
    this.namespace = namespace
  }

  /**
   * @returns a member that is reserved and on the board
   */
  static async join (port: number, localAddress: string, namespace: string): Promise<Member> {
    const signal = AbortSignal.timeout(30_000)
    const member = new Member(await LightPeer.connect({ host: '127.0.0.1', port, localAddress, signal }), namespace)
    const status = await reserve(member.peer, { signal })
    const [answer] = await Promise.all([member.register(), Promise.resolve(status)])

    if (status !== 100 || answer.registerResponse?.status !== Message.ResponseStatus.OK) {
      throw new Error(`refused: reservation ${status}, registration ${answer.registerResponse?.status}`)
    }

    return member
  }

  /**
   * Read everything that is on the board, and then go on as a node does
   */
  async follow (): Promise<void> {
    while ((await this.discover(0)) > 0) {
      // there is another page
    }

    void this.wait()
    // not all at the same moment
    this.timer = setTimeout(() => {
      void this.ping()
      this.timer = setInterval(() => { void this.ping() }, PING_INTERVAL)
    }, Math.random() * PING_INTERVAL)
  }

  /**
   * @returns how many registrations came
   */
  async discover (wait: number): Promise<number> {
    const { discoverResponse } = await this.ask({
      type: MessageType.DISCOVER,
      discover: { ns: this.namespace, cookie: this.cookie, limit: PAGE, wait }
    })

    if (discoverResponse?.status !== Message.ResponseStatus.OK) {
      throw new Error(`refused: ${discoverResponse?.status}`)
    }

    this.cookie = discoverResponse.cookie

    return discoverResponse.registrations.length
  }

  async register (): Promise<Message> {
    const signedPeerRecord = await this.seal()

    return this.ask({ type: MessageType.REGISTER, register: { ns: this.namespace, signedPeerRecord, ttl: 7_200n } })
  }

  /**
   * Somebody else registers this member's record
   */
  async registerBy (stranger: LightPeer, signal: AbortSignal): Promise<void> {
    const stream = await stranger.open(PROTOCOL, { signal })
    const messages = lpStream(stream)
    const register = { ns: this.namespace, signedPeerRecord: await this.seal(), ttl: 7_200n }
    await messages.write(Message.encode({ type: MessageType.REGISTER, register }), { signal })
    await messages.read({ signal })
  }

  leave (): void {
    clearTimeout(this.timer)
    this.peer.reset()
  }

  private async ask (message: Message): Promise<Message> {
    // the helper closes a stream that was idle
    if (this.stream?.writeStatus !== 'writable') {
      this.stream = await this.peer.open(PROTOCOL)
      this.messages = lpStream(this.stream)
    }

    await this.messages?.write(Message.encode(message))

    return Message.decode(await this.messages?.read() ?? new Uint8Array(0))
  }

  private async seal (): Promise<Uint8Array<ArrayBuffer>> {
    return sealRecord({
      privateKey: this.peer.privateKey,
      addresses: ['/ip4/11.0.0.1/tcp/4001', '/ip4/192.168.1.2/tcp/4001'].map(text => multiaddr(text)),
      form: 'standard',
      sequence: 1n
    })
  }

  private async wait (): Promise<void> {
    try {
      let wait = WAIT

      while (this.peer.isOpen) {
        const isNews = (await this.discover(wait)) > 0
        // members that join one after the other would wait for the same news, and all ask again at
        // the same moment ever after
        wait = isNews ? Math.random() * WAIT : WAIT
      }
    } catch {
      // the connection is closed
    }
  }

  private async ping (): Promise<void> {
    try {
      const stream = await this.peer.open(PING)
      const messages = lpStream(stream)
      stream.send(new Uint8Array(32))
      messages.unwrap()
      await stream.close()
    } catch {
      // the connection is closed
    }
  }
}
