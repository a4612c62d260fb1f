import { fromString } from 'uint8arrays'

/**
 * Decoding and checking of bytes, and the reverse
 */
export const OPERATIONS = [
  'decode',
  'encode',
  'check FINGERPRINT',
  'add FINGERPRINT',
  'check MESSAGE-INTEGRITY',
  'add MESSAGE-INTEGRITY'
] as const

export type Operation = typeof OPERATIONS[number]

/**
 * The sizes of a Binding response: with the address only, and with the attributes that
 * a server of RFC 5780 adds
 */
export const SIZES = [32, 100] as const

export type Size = typeof SIZES[number]

/**
 * A codec under test. The result of each operation is checked once before it is
 * measured.
 */
export type Codec = (size: Size, messages: Messages) => Record<Operation, () => unknown>

export interface Messages {
  plain: Buffer
  fingerprint: Buffer
  integrity: Buffer
}

export const TRANSACTION_ID = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex')
export const PASSWORD = 'VOkJxbRl1RmTxUk/WvJxBt'
export const MAPPED = { host: '192.0.2.1', port: 32_853 }
export const ORIGIN = { host: '198.51.100.1', port: 3_478 }
export const OTHER = { host: '198.51.100.2', port: 3_479 }
export const SOFTWARE = 'a STUN server, version 1.2.3 for Linux 6'

/**
 * The request and both responses of RFC 5769, section 2
 */
export const VECTORS = [
  '000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9' +
    'b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf',
  '0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f5' +
    '99fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96',
  '010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4' +
    'b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c'
].map(vector => Buffer.from(fromString(vector, 'base16')))
