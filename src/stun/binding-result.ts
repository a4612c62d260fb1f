import { isSameEndpoint } from '../address/endpoint.ts'
import { isComprehensionRequired } from './attributes.ts'
import { STUNErrorResponseError, STUNProtocolError } from './errors.ts'
import { checkFingerprint } from './fingerprint.ts'
import { checkIntegrity } from './integrity.ts'
import { getAttribute } from './message.ts'
import type { STUNMessage } from './message.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * Attributes that servers of RFC 3489 still send, section 11.2: RESPONSE-ADDRESS,
 * SOURCE-ADDRESS, CHANGED-ADDRESS, REFLECTED-FROM
 */
const RFC_3489 = [0x0002, 0x0004, 0x0005, 0x000b]

/**
 * The answer to a Binding request (RFC 8489, section 2)
 */
export interface BindingResult {
  /**
   * The address and port that the server sees: XOR-MAPPED-ADDRESS, or from a
   * server of RFC 3489 MAPPED-ADDRESS
   */
  mapped: Endpoint

  /**
   * The local address and port of the connection
   */
  local: Endpoint

  /**
   * The MAPPED-ADDRESS when it differs from XOR-MAPPED-ADDRESS: an application
   * layer gateway on the path rewrites addresses in the payload
   */
  rewritten?: Endpoint

  /**
   * The MAPPED-ADDRESS, if there is one: only then could a gateway have rewritten it
   */
  mappedAddress?: Endpoint

  /**
   * OTHER-ADDRESS: another endpoint of the server (RFC 5780, section 7.4)
   */
  otherAddress?: Endpoint

  /**
   * RESPONSE-ORIGIN: where the answer was sent from (RFC 5780, section 7.3)
   */
  responseOrigin?: Endpoint

  /**
   * SOFTWARE: the name and version of the server
   */
  software?: string

  /**
   * From request to answer, in ms
   */
  roundTrip: number
}

/**
 * Read the answer to a Binding request
 *
 * @throws {STUNErrorResponseError} it is an error response
 * @throws {STUNProtocolError} it lacks an attribute that it must have, or has an unknown one that must be understood
 */
export function readResult (
  message: STUNMessage, server: string, local: Endpoint | undefined, roundTrip: number
): BindingResult {
  // RFC 8489, sections 6.3.3 and 6.3.4
  for (const attribute of message.attributes) {
    if (attribute.type === 'UNKNOWN' && isComprehensionRequired(attribute.code) && !RFC_3489.includes(attribute.code)) {
      const code = attribute.code.toString(16).padStart(4, '0')
      throw new STUNProtocolError(`${server} sent an unknown attribute that a client must understand: 0x${code}`)
    }
  }

  if (message.class === 'error') {
    throw readError(message, server)
  }

  const xorMapped = getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address
  const mappedAddress = getAttribute(message, 'MAPPED-ADDRESS')?.address
  const mapped = xorMapped ?? mappedAddress

  if (mapped == null || local == null) {
    throw new STUNProtocolError(`${server} sent an answer without XOR-MAPPED-ADDRESS`)
  }

  return {
    mapped,
    local,
    rewritten: mappedAddress == null || isSameEndpoint(mappedAddress, mapped) ? undefined : mappedAddress,
    mappedAddress,
    otherAddress: getAttribute(message, 'OTHER-ADDRESS')?.address,
    responseOrigin: getAttribute(message, 'RESPONSE-ORIGIN')?.address,
    software: getAttribute(message, 'SOFTWARE')?.value,
    roundTrip
  }
}

/**
 * @throws {STUNProtocolError} its FINGERPRINT is wrong, or the server has not signed it with
 * the key
 */
export function verifyAnswer (message: STUNMessage, bytes: Uint8Array, server: string, key?: Uint8Array): void {
  if (getAttribute(message, 'FINGERPRINT') != null && !checkFingerprint(bytes)) {
    throw new STUNProtocolError(`${server} sent an answer whose FINGERPRINT is wrong`)
  }

  // a server cannot sign the refusal of a client whose key it does not know
  if (message.class === 'success' && key != null && !checkIntegrity(bytes, key)) {
    throw new STUNProtocolError(`${server} sent an answer that it has not signed with the password`)
  }
}

function readError (message: STUNMessage, server: string): Error {
  const error = getAttribute(message, 'ERROR-CODE')

  if (error == null) {
    return new STUNProtocolError(`${server} sent an error response without ERROR-CODE`)
  }

  return new STUNErrorResponseError(error.code, error.reason, {
    server,
    alternateServer: getAttribute(message, 'ALTERNATE-SERVER')?.address,
    alternateDomain: getAttribute(message, 'ALTERNATE-DOMAIN')?.value
  })
}
