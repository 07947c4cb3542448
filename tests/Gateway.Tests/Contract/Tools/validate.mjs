// Validates a document with the schemas of swagger-parser, which many tools use.
import SwaggerParser from "@apidevtools/swagger-parser";

const { info, openapi } = await SwaggerParser.validate(process.argv[2]);
console.log(`${info.title} is valid OpenAPI ${openapi}.`);
