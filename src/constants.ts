/**
 * Close a connection that was quiet for this long, in ms, as `@libp2p/tcp` does
 */
export const DEFAULT_INACTIVITY_TIMEOUT = 2 * 60_000

/**
 * A node should not start slower than a user waits, in ms
 */
export const DEFAULT_MAPPING_TIMEOUT = 2_000

/**
 * How long the address manager may believe a confirmed address, in ms. It is
 * its own default.
 */
export const CONFIRM_TTL = 10 * 60_000

/**
 * AutoNAT withdraws an address that strangers can not dial, but that a punch
 * can use, so it is confirmed again this often while it is held, in ms
 */
export const CONFIRM_INTERVAL = 60_000

/**
 * Enough for a few punches at once, of a few addresses each
 */
export const DEFAULT_MAX_LINGERING_DIALS = 16

/**
 * Public servers that are said to answer over TCP
 */
export const DEFAULT_STUN_SERVERS = [
  'stun:stun.nextcloud.com',
  'stun:turn.cloudflare.com',
  'stun:global.turn.twilio.com',
  'stun:stun.freeswitch.org',
  'stun:stun.sipnet.com',
  'stun:stun.radiojar.com',
  'stun:stun.sonetel.com',
  'stun:stun.telnyx.com',
  'stun:stun.voip.blackberry.com',
  'stun:stun.isp.net.au',
  'stun:fwa.lifesizecloud.com'
]
