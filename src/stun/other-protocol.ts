/**
 * How the first bytes of other servers begin, and what to say of them
 */
const PROTOCOLS: Array<[start: string, description: string]> = [
  ['HTTP/', 'it answers in HTTP'],
  ['SSH-', 'it is an SSH server'],
  ['220 ', 'it is a mail or FTP server'],
  ['220-', 'it is a mail or FTP server'],
  // the alert protocol, version 3.x (RFC 8446, section 5.1)
  ['\x15\x03', 'it answers with a TLS alert, so the URI may have to begin with stuns:']
]

/**
 * What a server speaks in place of STUN, by the first bytes of a chunk
 *
 * @returns nothing for what is not known
 */
export function otherProtocol (chunk: Uint8Array): string | undefined {
  const text = String.fromCharCode(...chunk.subarray(0, 5))

  return PROTOCOLS.find(([start]) => text.startsWith(start))?.[1]
}
