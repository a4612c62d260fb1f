import { Message } from '../pb/rendezvous.ts'
import { DEFAULT_TTL, MAX_NAMESPACE_LENGTH, namespaceLength } from '../protocol.ts'
import { decodeCookie } from './cookie.ts'
import type { Cookie } from './cookie.ts'
import type { BoardLimits } from './limits.ts'

const { ResponseStatus } = Message

/**
 * A request is refused, with the status and the text of the answer
 */
export class Refusal extends Error {
  readonly status: Message.ResponseStatus

  constructor (status: Message.ResponseStatus, text: string) {
    super(text)

    this.status = status
  }
}

export function checkNamespace (namespace = ''): string {
  const length = namespaceLength(namespace)

  if (length === 0 || length > MAX_NAMESPACE_LENGTH) {
    throw new Refusal(
      ResponseStatus.E_INVALID_NAMESPACE,
      `A namespace has 1 to ${MAX_NAMESPACE_LENGTH} bytes of UTF-8, not ${length}`
    )
  }

  return namespace
}

export function checkCookie (bytes: Uint8Array | undefined, namespace: string | undefined): Cookie | undefined {
  if (bytes == null || bytes.byteLength === 0) {
    return
  }

  const cookie = decodeCookie(bytes)

  if (cookie == null) {
    throw new Refusal(ResponseStatus.E_INVALID_COOKIE, 'The cookie is not one of this board')
  }

  if (cookie.namespace != null && cookie.namespace !== namespace) {
    throw new Refusal(ResponseStatus.E_INVALID_COOKIE, 'The cookie is one of another namespace')
  }

  return cookie
}

export function checkTTL (requested: bigint | undefined, { minTTL, maxTTL }: BoardLimits): number {
  const ttl = Number(requested ?? Math.min(Math.max(DEFAULT_TTL, minTTL), maxTTL))

  if (ttl < minTTL || ttl > maxTTL) {
    throw new Refusal(ResponseStatus.E_INVALID_TTL, `The TTL must be from ${minTTL} to ${maxTTL} seconds, not ${ttl}`)
  }

  return ttl
}
