import { TypedEventEmitter } from 'main-event'
import type { PEMCertificate } from './options.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { TLSCertificate } from '@libp2p/interface'

interface AutoTLSEvents {
  change: CustomEvent<PEMCertificate>
}

/**
 * The certificate that AutoTLS has for the node. It is told once, so listeners that come
 * later find it here.
 */
export class AutoTLSCertificate extends TypedEventEmitter<AutoTLSEvents> {
  current?: PEMCertificate

  constructor ({ events }: TCPSTUNComponents) {
    super()

    const onCertificate = ({ detail: { key, cert } }: CustomEvent<TLSCertificate>): void => {
      this.current = { key, cert }
      this.safeDispatchEvent('change', { detail: this.current })
    }
    events?.addEventListener('certificate:provision', onCertificate)
    events?.addEventListener('certificate:renew', onCertificate)
  }
}
