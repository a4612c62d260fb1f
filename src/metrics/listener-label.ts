/**
 * The label of every metric that belongs to a listener. Its value is the listener's
 * multiaddr with the actual port, as `ListenerStatus.listener` has it.
 */
export const LISTENER_LABEL = 'listener'
