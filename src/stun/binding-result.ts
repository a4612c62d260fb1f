import { attributeCode, isComprehensionRequired } from './attributes.ts'
import { STUNErrorResponseError, STUNProtocolError } from './errors.ts'
import { getAttribute } from './message.ts'
import type { STUNMessage } from './message.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * What servers of RFC 3489 still send, section 11.2: RESPONSE-ADDRESS,
 * SOURCE-ADDRESS, CHANGED-ADDRESS, REFLECTED-FROM
 */
const RFC_3489 = [0x0002, 0x0004, 0x0005, 0x000b]

/**
 * What a server says of the address it sees (RFC 8489, section 2)
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
   * The MAPPED-ADDRESS of an answer whose XOR-MAPPED-ADDRESS differs: something
   * on the way rewrites addresses in the payload, an application layer gateway
   */
  rewritten?: Endpoint

  /**
   * The MAPPED-ADDRESS, which tells when nothing is rewritten that something
   * could have been
   */
  mappedAddress?: Endpoint

  /**
   * Where the server can be asked too (RFC 5780, section 7.4)
   */
  otherAddress?: Endpoint

  /**
   * The address the answer was sent from (RFC 5780, section 7.3)
   */
  responseOrigin?: Endpoint

  /**
   * What the server calls itself
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
 * @throws {STUNProtocolError} it lacks what it must have, or has what is not understood
 */
export function readResult (message: STUNMessage, server: string, local: Endpoint | undefined, roundTrip: number): BindingResult {
  const unknown = message.attributes.find(attribute => attribute.type === 'UNKNOWN' && isComprehensionRequired(attribute.code) && !RFC_3489.includes(attribute.code))

  // RFC 8489, sections 6.3.3 and 6.3.4
  if (unknown != null) {
    throw new STUNProtocolError(`${server} sent an attribute that has to be understood and is not known: 0x${attributeCode(unknown).toString(16).padStart(4, '0')}`)
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
    rewritten: mappedAddress != null && (mappedAddress.host !== mapped.host || mappedAddress.port !== mapped.port) ? mappedAddress : undefined,
    mappedAddress,
    otherAddress: getAttribute(message, 'OTHER-ADDRESS')?.address,
    responseOrigin: getAttribute(message, 'RESPONSE-ORIGIN')?.address,
    software: getAttribute(message, 'SOFTWARE')?.value,
    roundTrip
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
