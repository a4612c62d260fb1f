import { checkIntegrity, shortTermKey } from '../stun/integrity.ts'
import { getAttribute } from '../stun/message.ts'
import type { STUNCredential } from '../stun/client-init.ts'
import type { STUNMessage } from '../stun/message.ts'

/**
 * Lets only those in who know a name and a password (RFC 8489, section 9.1.3)
 */
export class CredentialGate {
  /**
   * That of MESSAGE-INTEGRITY in requests and responses
   */
  readonly key: Uint8Array
  private readonly username: string

  constructor ({ username, password }: STUNCredential) {
    this.key = shortTermKey(password)
    this.username = username
  }

  /**
   * @returns the error code for a request that is not let in
   */
  check (message: STUNMessage, bytes: Uint8Array): 400 | 401 | undefined {
    const username = getAttribute(message, 'USERNAME')?.value

    if (username == null || getAttribute(message, 'MESSAGE-INTEGRITY') == null) {
      return 400
    }

    return username === this.username && checkIntegrity(bytes, this.key) ? undefined : 401
  }
}
