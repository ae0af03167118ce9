/**
 * Text inside XML.
 *
 * @module
 */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** `text` as XML content or attribute value. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** What {@linkcode escapeXml} was given. */
export function plainXml(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => {
    const found = Object.entries(ENTITIES).find(([, name]) => name === entity);
    return found?.[0] ?? entity;
  });
}
