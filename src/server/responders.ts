import { otherAddress } from './other-address.ts'
import { Responder } from './response.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { STUNCredential } from '../stun/client-init.ts'

/**
 * A proxy that names another destination each time must not fill our memory
 */
const MAX_RESPONDERS = 1_000

/**
 * The responders of one listener: one for each address that clients connect to
 */
export class Responders {
  private readonly software: string
  private readonly credential?: STUNCredential
  private readonly byServer = new Map<string, Responder>()

  constructor (software: string, credential?: STUNCredential) {
    this.software = software
    this.credential = credential
  }

  /**
   * @param server - where a client connected to
   * @param listeners - where the server listens for the same transport
   */
  get (server: Endpoint, listeners: Endpoint[]): Responder {
    const key = `${server.host} ${server.port}`
    let responder = this.byServer.get(key)

    if (responder == null) {
      responder = new Responder({
        server,
        other: otherAddress(server, listeners),
        software: this.software,
        credential: this.credential
      })

      if (this.byServer.size >= MAX_RESPONDERS) {
        this.byServer.clear()
      }

      this.byServer.set(key, responder)
    }

    return responder
  }

  clear (): void {
    this.byServer.clear()
  }
}
