/**
 * How long a connection may take to send its first bytes, in ms
 */
export const FIRST_BYTES_TIMEOUT = 5_000

/**
 * How long a connection may then take for the TLS handshake, and how long for a request
 * with its body, in ms
 */
export const TLS_TIMEOUT = 5_000
export const REQUEST_TIMEOUT = 10_000

/**
 * How long the remote side has to answer a Close frame, in ms
 */
export const CLOSE_TIMEOUT = 500

/**
 * The longest head of a request, in bytes: a browser's has less than 1 kB
 */
export const MAX_HEAD_SIZE = 8_192

/**
 * The longest message, in bytes: a peer sends what a muxer has written in one turn, in
 * pieces of up to 64 KiB
 */
export const DEFAULT_MAX_MESSAGE_SIZE = 1_048_576

/**
 * How often certificate files are looked at, in ms
 */
export const FILE_CHECK_INTERVAL = 60_000
