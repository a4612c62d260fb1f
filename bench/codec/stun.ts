import { createRequire } from 'node:module'
import { MAPPED, ORIGIN, OTHER, PASSWORD, SOFTWARE, TRANSACTION_ID } from './operations.ts'
import type { Codec, Size } from './operations.ts'

/**
 * `stun`, and its fork `@msimerson/stun`, neither with types
 *
 * They check a message by encoding it again.
 */
export class StunPackage {
  private readonly stun: any

  constructor (name: 'stun' | '@msimerson/stun') {
    this.stun = createRequire(import.meta.url)(name)
  }

  readonly codec: Codec = (size, { plain, fingerprint, integrity }) => {
    const { decode, validateFingerprint, validateMessageIntegrity } = this.stun

    return {
      decode: () => {
        const message = decode(plain)

        return { mapped: message.getXorAddress().address, software: message.getSoftware() }
      },
      encode: () => this.response(size).toBuffer(),
      'check FINGERPRINT': () => validateFingerprint(decode(fingerprint)),
      'add FINGERPRINT': () => {
        const response = this.response(size)
        response.addFingerprint()

        return response.toBuffer()
      },
      'check MESSAGE-INTEGRITY': () => validateMessageIntegrity(decode(integrity), PASSWORD),
      'add MESSAGE-INTEGRITY': () => {
        const response = this.response(size)
        response.addMessageIntegrity(PASSWORD)

        return response.toBuffer()
      }
    }
  }

  checkVector (bytes: Buffer): boolean[] {
    const { decode, validateFingerprint, validateMessageIntegrity } = this.stun

    return [validateFingerprint, validateMessageIntegrity].map(check => {
      try {
        return check(decode(bytes), PASSWORD)
      } catch {
        return false
      }
    })
  }

  private response (size: Size): any {
    const { constants, createMessage } = this.stun
    const response = createMessage(constants.STUN_BINDING_RESPONSE, TRANSACTION_ID)
    response.addXorAddress(MAPPED.host, MAPPED.port)

    if (size === 100) {
      response.addAttribute(constants.STUN_ATTR_RESPONSE_ORIGIN, ORIGIN.host, ORIGIN.port)
      response.addAttribute(constants.STUN_ATTR_OTHER_ADDRESS, OTHER.host, OTHER.port)
      response.addSoftware(SOFTWARE)
    }

    return response
  }
}
