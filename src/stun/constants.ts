/**
 * RFC 8489, section 5: tells STUN from other protocols, and is XORed into addresses
 */
export const MAGIC_COOKIE = 0x2112a442

/**
 * Type, length, magic cookie and transaction id, in bytes (RFC 8489, section 5)
 */
export const HEADER_LENGTH = 20

/**
 * In bytes (RFC 8489, section 5)
 */
export const TRANSACTION_ID_LENGTH = 12

/**
 * RFC 8489, section 18.2
 */
export const METHOD_BINDING = 0x001
