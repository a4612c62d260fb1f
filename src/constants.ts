/**
 * Close a connection that is silent for this long, in ms, as `@libp2p/tcp` does
 */
export const DEFAULT_INACTIVITY_TIMEOUT = 2 * 60_000

/**
 * How often a mapping is kept alive, in ms: shorter than the shortest idle timeouts of carrier
 * NATs that Natter and natmap work around (30 s), with room for one lost probe
 */
export const DEFAULT_KEEP_ALIVE_INTERVAL = 15_000

/**
 * How long a listener waits for its first mapping, in ms: a user waits for the node
 * to start
 */
export const DEFAULT_MAPPING_TIMEOUT = 2_000

/**
 * For how long the address manager keeps an address confirmed, in ms, which is its
 * own default
 */
export const CONFIRM_TTL = 10 * 60_000

/**
 * With `announce: 'always'`, AutoNAT withdraws an address that strangers cannot dial. So
 * it is confirmed again this often while the mapping is held, in ms.
 */
export const CONFIRM_INTERVAL = 60_000

/**
 * How often the address manager is asked for a verdict of AutoNAT, in ms: it has no event
 * for one
 */
export const VERDICT_INTERVAL = 5_000

/**
 * When AutoNAT may test an address again after a test that proved nothing, in ms. Not at
 * once: js-libp2p asks a server again over the connection that it has dialled back by.
 */
export const UNPROVEN_RETRY = 60_000

/**
 * How long a NAT may admit the hosts that an earlier process has contacted from the same
 * port, in ms. Its connections have ended with it, and RFC 5382 (REQ-5) lets a NAT
 * forget those after 4 minutes.
 */
export const NAT_MEMORY = 5 * 60_000

/**
 * How long a dial from a listening port that was given up keeps connecting, in ms. B's
 * one-sided dial in DCUtR is given up after 5 s. A's SYN may come at any time in the
 * 15 s of attempts that follow; each attempt adopts the dial, and leaves it again.
 */
export const LINGER_TIME = 10_000

/**
 * Enough for a few hole punches at once, to a few addresses each
 */
export const DEFAULT_MAX_LINGERING_DIALS = 16

/**
 * The log of connections. libp2p logs dozens of lines of its own for each, in scopes of
 * this: they must not be under `libp2p:tcp-stun`, which tells what happens to the node.
 */
export const CONNECTION_LOG = 'libp2p:connection:tcp-stun'
