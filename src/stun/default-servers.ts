/**
 * Public servers that are known to answer over TCP
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
