/** KAMAU NJOROGE is Kamau to his face; empty when there is no name. */
export function firstName(name: string): string {
  const [first = ''] = name.trim().split(/\s+/);
  return first && `${first[0]?.toUpperCase()}${first.slice(1).toLowerCase()}`;
}
