#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>

/* An encoding that only ICU knows, XPath, and an error in a document. */
int check(void) {
  static const char text[] = "<?xml version='1.0' encoding='windows-1253'?><a><b>\xe1\xe2</b><b>2</b></a>";
  xmlDocPtr document = xmlReadMemory(text, sizeof text - 1, "a.xml", 0, XML_PARSE_NONET);
  if (!document) return 1;
  xmlXPathContextPtr context = xmlXPathNewContext(document);
  xmlXPathObjectPtr result = xmlXPathEvalExpression((const xmlChar *)"string(//b[1])", context);
  int good = result && !strcmp((const char *)result->stringval, "\xce\xb1\xce\xb2");
  xmlXPathFreeObject(result);
  result = xmlXPathEvalExpression((const xmlChar *)"count(//b)", context);
  good &= result && result->floatval == 2;
  xmlXPathFreeObject(result);
  xmlXPathFreeContext(context);
  xmlFreeDoc(document);
  good &= !xmlReadMemory("<a>", 3, "b.xml", 0, XML_PARSE_NOERROR);
  xmlCleanupParser();
  return good ? 42 : 2;
}
