import type {
  DirectStatus, EndpointDependentStatus, LostStatus, MappedStatus, MappingStatus, UnsupportedStatus
} from './status.ts'

/**
 * There is a public address
 */
export type AddressStatus = MappedStatus | DirectStatus

/**
 * There is none, and it is known why
 */
export type NoAddressStatus = EndpointDependentStatus | LostStatus | UnsupportedStatus

export interface PublicMappingEvents {
  /**
   * There is a public address, and there was none. Whether strangers get through to it is
   * up to the NAT's filtering.
   */
  mapped: CustomEvent<AddressStatus>

  /**
   * The public address is another one than before
   */
  changed: CustomEvent<AddressStatus>

  /**
   * There is no public address that peers could use
   */
  lost: CustomEvent<NoAddressStatus>

  /**
   * The status changed in any way: one of the above, or a server failed or recovered
   */
  status: CustomEvent<MappingStatus>
}
