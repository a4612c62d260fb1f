import type { STUNCredential } from 'libp2p-tcp-stun/stun'

/**
 * The name and the password in a text like `name:password`, as the file of `tcp-stun helper
 * --private` has it
 *
 * @throws {Error} it is none
 */
export function parseCredential (text: string): STUNCredential {
  const [, username, password] = /^([^:\s]+):(\S+)\s*$/.exec(text) ?? []

  if (username == null || password == null) {
    throw new Error('A STUN credential is a name and a password like name:password, without spaces')
  }

  return { username, password }
}
