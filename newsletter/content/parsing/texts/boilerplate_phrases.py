"""The phrases that publishing programs add to every article, in the languages that their feeds are written in.

Each line is a regular expression for a whole line of an article, for its last sentence, or for the text of a link; an
indented line continues the one before after a space. The text that they are compared with is on one line, without the
arrows, brackets and quotation marks around it. WordPress, Blogger, Medium, Substack, Hacker News and Reddit write most
of them.
"""
# ruff: noqa: RUF001 - the quotation marks and letters are those of the languages

import re

# TITLE, SITE, PLACE, NAME and SERVICE stand for names. A PLACE begins with a capital letter or is a domain, a NAME of
# several words begins with no small letter: "Photo by Ann Writer" is a credit, "Images by young painters" is none.
SERVICES = (
    r"(?:e-?mail|facebook|twitter|x|linkedin|whatsapp|pinterest|telegram|reddit|tumblr|mastodon|bluesky|threads|xing"
    r"|instagram|flipboard|pocket)"
)

# Where an article was published first.
APPEARED_FIRST = r"""
the (?:post|article|story|page|episode) TITLE (?:first appeared|appeared first|was first published) (?:on|at) SITE
(?:this|the) (?:post|article|story|piece) (?:was )?(?:originally|first) (?:published|appeared|posted) (?:on|at|by|in)
  PLACE
originally (?:published|posted|appeared) (?:on|at|in|by) PLACE
[^.!?]{1,200} was originally published in .+ on medium\b.*
(?:der|dieser) (?:beitrag|artikel|post)(?: TITLE)? (?:erschien|erscheint|wurde|ist)
  (?:zuerst|erstmals|zunächst|ursprünglich)(?: erschienen| veröffentlicht)? (?:auf|bei|in) SITE
(?:der|dieser) (?:beitrag|artikel|post)(?: TITLE)? ist (?:auf|bei) SITE (?:zuerst )?erschienen
(?:l['’]|cet )(?:article|billet|entrée)(?: TITLE)? (?:est apparu|a été publié|est paru|apparaît) en premier sur SITE
(?:la entrada|el cargo|la publicación|el artículo|el post|la noticia|esta entrada|este artículo)(?: TITLE)? (?:se
  publicó|apareció|aparece|fue publicad[ao]) (?:primero|por primera vez|originalmente) en SITE
(?:l['’]articolo|il post|questo articolo)(?: TITLE)? (?:proviene da|sembra essere il primo su|è apparso (?:per
  primo|per la prima volta|per prima) (?:su|in)|è stato pubblicato per la prima volta su) SITE
(?:het bericht|het artikel|dit bericht|dit artikel)(?: TITLE)? (?:verscheen|is) (?:als )?(?:het
  eerst|eerste?|oorspronkelijk)(?: verschenen| gepubliceerd)? op SITE
(?:artykuł|post|wpis) TITLE (?:pochodzi z serwisu|pojawił się po ?raz pierwszy w|pochodzi z) SITE
(?:o post|o artigo|o conteúdo|a publicação|o texto|este artigo|este post)(?: TITLE)? (?:apareceu|aparece|foi
  publicad[ao]|surgiu) (?:primeiro|originalmente|pela primeira vez) (?:em|no|na) SITE
(?:inlägget TITLE dök först upp på|indlægget TITLE blev først (?:udgivet|vist) på|innlegget TITLE dukket først opp
  på|artikkeli TITLE julkaistiin ensimmäisen kerran|příspěvek TITLE se nejdříve objevil na|articolul TITLE apare
  prima dată în|(?:сообщение|запись) TITLE (?:появились сначала на|впервые появилась)|запис TITLE спершу з['’]явився
  на|το άρθρο TITLE εμφανίστηκε πρώτα στο) SITE
投稿 ?TITLE ?は ?TITLEに最初に表示されました。?
[^。！？]{1,200}(?:最先出现在|最早出現於|最先出現在).+
[^.!?]{1,200} yazısı ilk önce .+ üzerinde ortaya çıktı
"""

# Invitations to read the article on its site.
READ_MORE = r"""
(?:click|tap|go) here to (?:continue reading|read (?:more|on|the .{1,40}))|click here for more
(?:please )?(?:continue|keep) reading(?: (?:here|below|(?:on|at) PLACE|(?:this|the) (?:article|post|story|entry)))?
read (?:more|on|further)(?: (?:here|(?:on|at|from|in) PLACE))?
read (?:the |this )?(?:full |whole |entire |complete |original |rest of (?:the |this
  )){0,2}(?:story|article|post|entry|piece|report|review|interview|topic)(?: (?:here|(?:on|at) PLACE))?
read full topic
(?:view|see|visit) (?:the )?(?:(?:full|entire|original|whole|complete)
  )+(?:article|post|story|entry|gallery|version)(?: (?:here|(?:on|at) PLACE))?
full (?:story|article|post|details)|learn more|find out more|permalink|source link|original link
(?:hier |jetzt |jetzt lesen: )?weiter ?lesen(?: (?:auf|bei|in) PLACE)?|mehr (?:lesen|erfahren|dazu|infos?)
(?:lesen|erfahren) sie (?:hier )?(?:mehr|weiter)(?: (?:dazu|hier|darüber|(?:auf|bei) PLACE))?
(?:zum|ganzen?|vollständigen|kompletten|den (?:ganzen|vollständigen|kompletten)) (?:artikel|beitrag)(?: (?:hier
  )?(?:lesen|weiterlesen))?
artikel lesen
lire (?:la suite|plus|davantage|l['’]article(?: complet| entier)?)(?: sur PLACE)?|en savoir plus
(?:continuer|poursuivre) (?:la|votre|à) ?(?:lecture|lire)(?: sur PLACE)?|voir plus|lisez la suite
(?:leer|lee|ver|saber) más(?: en PLACE)?
(?:seguir|sigue|siga|continuar|continúa|continúe) leyendo(?: en PLACE)?
leer (?:el |la )?(?:artículo|noticia|entrada|nota)(?: complet[ao])?(?: en PLACE)?|más información
leggi (?:tutto|di più|ancora|altro|l['’]articolo(?: completo)?)(?: su PLACE)?
continua (?:a leggere|la lettura)(?: su PLACE)?|prosegui la lettura|scopri di più|per saperne di più
(?:lees|verder|meer) (?:meer|verder|lezen)(?: (?:op|bij) PLACE)?
lees (?:het )?(?:hele |volledige )?(?:artikel|bericht|verhaal)
czytaj (?:więcej|dalej|całość)(?: (?:na|w) PLACE)?|przeczytaj (?:więcej|całość)|dowiedz się więcej
(?:leia|ler|ver|saber|saiba) mais(?: (?:em|no|na) PLACE)?
(?:continuar|continue) (?:a ler|lendo)(?: em PLACE)?
leia (?:a|o) (?:matéria|artigo|texto|notícia|post)(?: complet[ao])?(?: (?:em|no|na) PLACE)?
läs (?:mer|vidare)|fortsätt läsa|læs (?:mere|videre)|les (?:mer|videre)
fortsett å lese|lue lisää|jatka lukemista|číst (?:více|dále|dál)|pokračovat ve čtení|celý článek|čítať ďalej
читать (?:далее|дальше|полностью|ещё|еще)|читати далі|devamını oku|tovább olvasom|olvass? tovább
cite(?:ș|s|ş)te (?:mai mult|mai departe|articolul .{1,40})|διαβάστε (?:περισσότερα|τη συνέχεια)
続きを(?:読む|見る)|もっと(?:読む|見る)|阅读(?:更多|全文)|继续阅读|閱讀(?:更多|全文)|繼續閱讀|查看全文
더 (?:보기|읽기)|계속 읽기|اقرأ المزيد|أكمل القراءة
إقرأ المزيد|קרא עוד|להמשך קריאה|और पढ़ें|आगे पढ़ें
"""

# Invitations that go on with free words. Without a link, these are a sentence like any other: "Read more of the poets."
LINKED = r"""
(?:please )?(?:continue|keep) reading (?:on|at|this|the) .{1,60}
read (?:more|on|further) (?:about|on|at|from|of|in) .{1,100}
read (?:the |this )?(?:full |whole |entire |complete |original |rest of (?:the |this
  )){0,2}(?:story|article|post|entry|piece|report|review|interview) (?:on|at) .{1,60}
(?:view|see|visit) (?:the )?(?:(?:full|entire|original|whole|complete)
  )+(?:article|post|story|entry|gallery|version) (?:on|at) .{1,60}
(?:this|the) (?:post|article|story|piece) (?:was )?(?:originally|first) (?:published|appeared|posted) (?:on|at|by|in)
  SITE
(?:weiter ?lesen|mehr lesen) (?:auf|bei|in|zu|über) .{1,60}|mehr .{1,40} lesen
(?:lesen|erfahren) sie (?:hier )?(?:mehr|weiter) .{1,60}
(?:lire|continuer|poursuivre) (?:la suite|la lecture|votre lecture|à lire|plus|davantage|l['’]article(?: complet|
  entier)?) (?:de|sur) .{1,200}
(?:leer|lee|ver|saber) más (?:sobre|en|de) .{1,100}
(?:seguir|sigue|siga|continuar|continúa|continúe) leyendo .{1,200}
leer (?:el |la )?(?:artículo|noticia|entrada|nota)(?: complet[ao])? en .{1,60}
(?:leggi|continua) (?:tutto|di più|ancora|altro|l['’]articolo(?: completo)?|a leggere|la lettura) (?:su|di|del|della)
  .{1,100}
(?:lees|verder|meer) (?:meer|verder|lezen) (?:over|op|bij) .{1,100}|czytaj (?:więcej|dalej|całość) .{1,100}
(?:leia|ler|ver|saber|saiba) mais (?:sobre|em|no|na) .{1,100}|(?:continuar|continue) (?:a ler|lendo) .{1,200}
leia (?:a|o) (?:matéria|artigo|texto|notícia|post)(?: complet[ao])? .{1,60}
läs hela .{1,40}|læs hele .{1,40}|les hele .{1,40}|читать (?:далее|дальше|полностью|ещё|еще) .{1,100}
(?:follow|support|like|find) (?:us|me|@\S+) (?:on|at) PLACE|via .{1,60}
comments? on .{1,200}|join the (?:discussion|conversation) .{1,60}|discuss (?:this|on|in) .{1,60}
share (?:on|via) .{1,40}|teilen (?:auf|mit|via|per) .{1,40}|partager (?:sur|cet) .{1,40}|compartir en .{1,40}
condividi su .{1,40}|deel dit .{1,40}|udostępnij na .{1,40}|compartilhe .{1,40}|partilhar .{1,40}
(?:please )?(?:sign ?up|subscribe|register|join)\b.{0,60}\b(?:newsletters?|mailing list|email list)\b.{0,80}
"""

# Single words that invite only as the text of a link.
MORE = r"""
more|details|weiter|mehr|suite|la suite|más|continu[ae]|altro
meer|verder|więcej|mais|mer|mere|подробнее|далее|детальніше|tovább|المزيد|もっと|更多|더보기
"""

# In a link, the article's title may follow the invitation; BEFORE stands for these.
BEFORE = r"""
continue reading|read the rest of|read more|read full|weiterlesen|lire la suite|continuer la lecture|poursuivre la
  lecture|seguir leyendo|leer más|continua a leggere|leggi tutto|lees verder|verder lezen|lees meer|czytaj
  dalej|czytaj więcej|continuar a ler|continue a ler|continue lendo|leia mais|läs mer|читать далее
"""
CONTINUE = r"""
BEFORE\b.{0,300}
"""
QUOTED_TITLE = r"""
BEFORE (?:of |about |de )?[\"“„«].{1,300}
"""

# Links to the discussion.
COMMENTS = r"""
(?:view |read |see |post |add |leave |write |show )?(?:a |all |the |your |no )?(?:\d+ )?comments?(?: \(\d+\)?| ?:
  ?\d+| here)?
(?:post|add|leave|write) a comment on .{1,200}|\d+ comments? on .{1,200}
join the (?:discussion|conversation)(?: (?:here|below|(?:on|at) PLACE))?|discuss(?: this)?(?: on PLACE)?
reply via e-?mail
(?:\d+ )?(?:kommentare?|kommentieren|kommentar (?:schreiben|hinterlassen)|commentaires?|laisser un
  commentaire|comentarios?|deja un comentario|dejar un comentario|commenti|commento|lascia un commento|reacties?|geef
  een reactie|komentarze|komentarzy|dodaj komentarz|comentários?|deixe um comentário|deixar um
  comentário|комментари[ий]|コメント|评论|評論)(?: ?\(?\d+\)?)?
"""

# What Hacker News and Reddit offer as the text of an item.
FORUMS = r"""
(?:article|comments) url: ?\S+|points: ?\d+|# ?comments: ?\d+
article url: ?\S+ comments url: ?\S+ points: ?\d+ # ?comments: ?\d+
\d+ posts? - \d+ participants?
submitted by /?u/\S+(?: to /?r/\S+)?(?: \[?link\]?)?(?: \[?comments\]?)?|(?:link\] ?\[)?comments|link
"""

# Buttons and headings for sharing, as text; then what stands only in links.
SHARE_TEXT = r"""
share this(?: post| article| story| page)? ?:?|share (?:on|via) SERVICE|like this ?:?|like loading|loading
click to (?:share|email|print) .{1,120}|opens in new window|tweet this|copy link
(?:beitrag |artikel )?teilen(?: (?:auf|mit|via|per) SERVICE)? ?:?|partager(?: (?:sur SERVICE|cet article))? ?:?
compartir(?: en SERVICE)? ?:?|compártelo ?:?|condividi(?: su SERVICE|:)|deel dit(?: artikel| bericht| op SERVICE)? ?:?
udostępnij(?: na SERVICE)? ?:?|compartilhe(?: (?:isso|no SERVICE))? ?:?|partilhar(?: no SERVICE)? ?:?|me gusta esto ?:?
gefällt mir ?:?
"""
SHARE_LINKS = r"""
share|tweet|pin(?: it)?|like|print|e-?mail(?: this.{0,40})?|add to .{1,30}|blog ?this!?|save to .{1,30}|forward
follow (?:us|me|@\S+)(?: on .{1,60})?|subscribe(?: now)?|permalink|link|source
facebook|twitter|x|linkedin|whatsapp|pinterest|telegram|reddit|tumblr|mastodon|bluesky|threads|instagram|youtube
pocket|xing|flipboard|digg|del\.icio\.us|stumbleupon|google\+|messenger|vk|line|skype|mix|rss
drucken|versenden|merken|imprimer|stampa|mi piace|delen(?: op .{1,40})?|lubię to|j['’]aime|dela|del
"""

# Requests to subscribe, advertisements, credits and headings of lists: whole lines of text.
NOTICES = r"""
(?:please )?(?:sign ?up|subscribe|register|join) (?:(?:now|today|here|to|for) ){0,2}(?:our|my|this|the|a|(?-i:[A-Z])\S*)
  (?:\S+ ){0,3}(?:newsletters?|mailing list|email list)(?: (?:to|and|here|now|below)\b.{0,80})?
get .{1,60}\b(?:in|to) your inbox\b.{0,60}|subscribe(?: now)?|thanks for reading\b.{0,200}\bsubscribe\b.{0,120}
[^.!?]{1,100} is a reader-supported publication\b.{0,200}
(?:jetzt |hier |unseren |den |zum |für ){0,4}newsletter.{0,30} (?:abonnieren|bestellen|anmelden|anfordern)\b.{0,60}
(?:abonnieren|melden) sie .{0,40}newsletter.{0,80}|(?:melde dich|abonniere) .{0,40}newsletter.{0,80}
(?:abonnez-vous|inscrivez-vous|recevez) .{0,40}(?:newsletter|infolettre|lettre d['’]information)\b.{0,80}
(?:suscríbete|suscríbase|apúntate|recibe|regístrate) .{0,40}(?:newsletter|boletín|boletines)\b.{0,80}
(?:iscriviti|iscrivetevi|ricevi|abbonati) .{0,40}newsletter\b.{0,80}
(?:schrijf je|meld je|abonneer je|ontvang) .{0,40}(?:nieuwsbrief|newsletter)\b.{0,80}
(?:zapisz się|zasubskrybuj|subskrybuj) .{0,40}newsletter\w*\b.{0,80}
(?:assine|subscreva|inscreva-se|receba|cadastre-se) .{0,40}(?:newsletter|boletim)\b.{0,80}
advertisement|sponsored(?: content)?|anzeige|werbung|publicité|publicidad|pubblicità|advertentie|reklama
publicidade|(?:article|story) continues below.{0,40}|scroll to continue.{0,40}
(?:photos?|images?|illustrations?|header image|featured image|lead image|cover (?:photo|image)|photo illustration)(?:
  (?:by|courtesy of|via|credit):?| ?:) ?+NAME
(?:photo |image )?(?:credits?|source) ?: ?+NAME
(?:foto|fotos|bild|bilder|symbolbild|titelbild|bildquelle|bildnachweis|crédits?(?:
  photo)?|créditos?|imagen|immagine|beeld|zdjęcie|fot\.|imagem) ?[:©/] ?+NAME
(?:©|copyright ?(?:©|\(c\)|:|by\b|\d{4})) ?.{0,120}
view (?:this post )?on (?:instagram|twitter|x|facebook|tiktok|youtube)|watch (?:this video )?on youtube
your browser does not support .{1,80}|(?:to view|please enable) .{1,60}javascript.{0,120}
skip to (?:main )?content|all rights reserved|getty images|shutterstock|istock
if the formatting looks odd in your feed reader, visit the original article
(?:this|the) feed (?:is for personal|only contains (?:excerpts|summaries|headlines))\b.{0,160}
(?:approx\.? )?\d{1,3} min(?:ute)?s? read|(?:reading time|lesezeit|temps de lecture|tiempo de lectura|tempo di
  lettura|tempo de leitura|leestijd|czas czytania) ?: ?(?:\w{2,5}\.? )?\d{1,3} ?\w{1,12}
(?:listen to|play) this (?:article|story|post)|artikel anhören|écouter (?:cet |l['’])article
escuchar? (?:este )?artículo
(?:view|read|open) (?:this )?(?:(?:e-?mail|newsletter|message|post) )?(?:in|on) (?:your|a|the) (?:web )?browser
related(?: (?:posts?|articles?|stories|reading|links?|content))? ?:?|you (?:may|might) also (?:like|enjoy) ?:?
ähnliche (?:beiträge|artikel) ?:?|articles similaires ?:?|entradas relacionadas ?:?|articoli correlati ?:?
gerelateerde (?:berichten|artikelen) ?:?|powiązane(?: wpisy)? ?:?|artigos relacionados ?:?
"""

# Before the links to an article's categories.
LABELS = r"""
filed (?:under|to)|posted in|tagged(?: with| as)?|tags?|categor(?:y|ies)|topics?|schlagwörter|schlagworte
kategorien?|étiquettes?|catégories?|etiquetas?|categorías?|tagi|kategorie|categorie[ën]?|categorias?
"""

# Before the text of an episode.
BEGINNINGS = r"""
(?:listen|watch) now(?: \(\d+ mins?\))? \|
"""

# Before the link to another article. It stays in the article, but is no prose for its excerpt.
READ_ALSO = r"""
read (?:more|also|next)|(?:see|read) also|also read|more on this|related|don['’]t miss|lesen sie (?:auch|dazu|mehr)
(?:mehr dazu|siehe auch|auch interessant|mehr zum thema)|(?:à )?lire (?:aussi|également)|voir aussi
(?:lea?|leer|vea|ver|lee) (?:también|además)|te puede interesar|leggi anche|vedi anche|lees ook|zie ook
(?:czytaj|przeczytaj|zobacz) (?:też|także|również)|(?:leia|veja|ver) (?:também|mais)|läs (?:också|även|mer)
læs også|les også|lue myös|čtěte také|читайте (?:также|ещё|еще)|читайте також|ayrıca oku
"""


def compiled(*blocks: str, site: str = "[^,;]{1,120}") -> re.Pattern[str]:
    """Return one expression for all phrases of the blocks, without regard to case."""
    before = "|".join(_phrases(BEFORE))
    phrases = "|".join(phrase for block in blocks for phrase in _phrases(block))
    names = {
        "TITLE": ".{1,300}?",
        "SITE": site,
        "PLACE": r"(?-i:[^\W\da-z_]|\S+\.[a-z]{2})[^,;]{0,59}",
        "NAME": r"(?-i:(?![a-z])|(?=\S+$|\S+[./@])).{1,80}",
        "SERVICE": SERVICES,
        "BEFORE": f"(?:{before})",
    }
    return re.compile(re.sub("|".join(names), lambda name: names[name[0]], phrases), re.IGNORECASE)


def _phrases(block: str) -> list[str]:
    return block.strip().replace("\n  ", " ").split("\n")
