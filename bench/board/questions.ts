export type Question =
  | { do: 'fill', folder: string, count: number }
  | { do: 'restore', folder: string, count: number }
  | { do: 'cpu' }
  | { do: 'connect', addresses: string[] }
  | { do: 'poll', stream: 'kept' | 'fresh', count: number }

/**
 * What a board costs once it has started
 */
export interface Restored {
  addresses: string[]

  /**
   * In ms
   */
  duration: number
  cpu: number

  /**
   * Of a registration, in bytes
   */
  memory: number
}
