import { z } from 'zod';
import { Attachment, Location, Money } from './action.ts';

/** What an action takes or gives, in words for an author. */
export function described(schema: z.ZodType): string {
  if (schema === Money) return 'money';
  if (schema === Attachment) return 'a picture or paper';
  if (schema === Location) return 'a place';
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return `${described(schema.unwrap() as z.ZodType)}, perhaps`;
  if (schema instanceof z.ZodArray) return `a list of ${described(schema.element as z.ZodType)}`;
  if (schema instanceof z.ZodEnum) return schema.options.join(' or ');
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (!(schema instanceof z.ZodObject)) return 'text';
  const parts = Object.entries(schema.shape).map(([name, part]) => {
    return `${name} (${part instanceof z.ZodType ? described(part) : 'anything'})`;
  });
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}
